# How large a task is, and how many there are.

variable "cpu" {
  description = "CPU units of one task (1024 = one core)."
  type        = number
  default     = 1024

  validation {
    condition     = contains([512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "cpu is 512, 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "memory" {
  description = "MiB of one task. Two workers use about 1 GiB at rest."
  type        = number
  default     = 4096

  validation {
    condition = contains(lookup({
      "512"   = [2048, 3072, 4096]
      "1024"  = [for n in range(2, 9) : n * 1024]
      "2048"  = [for n in range(4, 17) : n * 1024]
      "4096"  = [for n in range(8, 31) : n * 1024]
      "8192"  = [for n in range(16, 61, 4) : n * 1024]
      "16384" = [for n in range(32, 121, 8) : n * 1024]
    }, tostring(var.cpu), []), var.memory)
    error_message = "Fargate does not offer memory ${var.memory} with cpu ${var.cpu} (or it is below 2048, which two workers need). With cpu 1024 memory is 2048 to 8192, in steps of 1024."
  }
}

variable "ephemeral_storage" {
  description = "GiB of scratch space of one task; artifacts pass through it in whole files."
  type        = number
  default     = 21

  validation {
    condition     = var.ephemeral_storage >= 21 && var.ephemeral_storage <= 200
    error_message = "ephemeral_storage is between 21 and 200 (GiB)."
  }
}

variable "cpu_architecture" {
  description = "Architecture of the image: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture is X86_64 or ARM64."
  }
}

variable "min_tasks" {
  description = "Tasks at rest. Two survive the loss of a zone."
  type        = number
  default     = 2

  validation {
    condition     = var.min_tasks >= 1 && floor(var.min_tasks) == var.min_tasks
    error_message = "min_tasks is a whole number from 1 on."
  }
}

variable "max_tasks" {
  description = "Tasks under load."
  type        = number
  default     = 4

  validation {
    condition     = var.max_tasks >= var.min_tasks && floor(var.max_tasks) == var.max_tasks
    error_message = "max_tasks is a whole number, not below min_tasks."
  }

  validation {
    # 2: during a deployment the old and the new tasks run side by side. 40: what a task keeps, two workers with two
    # pools of 8 and one of 4 for the login. 20: everybody else. tests/terraform/test_parity_aws.py holds it.
    condition     = var.database.max_connections == null ? true : 2 * var.max_tasks * 40 + 20 <= var.database.max_connections
    error_message = "max_tasks=${var.max_tasks} may open ${2 * var.max_tasks * 40 + 20} connections during a deployment, but the database accepts ${coalesce(var.database.max_connections, 0)}. Raise max_connections of the database, or lower max_tasks."
  }
}

variable "target_cpu_percent" {
  description = "Average CPU that autoscaling aims at."
  type        = number
  default     = 60

  validation {
    condition     = var.target_cpu_percent >= 20 && var.target_cpu_percent <= 90
    error_message = "target_cpu_percent is between 20 and 90."
  }
}

variable "target_requests_per_minute" {
  description = "Requests per task and minute that autoscaling aims at; one task answers about 6000 simple ones."
  type        = number
  default     = 3000

  validation {
    condition     = var.target_requests_per_minute >= 60
    error_message = "target_requests_per_minute is at least 60."
  }
}

variable "startup_grace_seconds" {
  description = "How long a new task may take, bootstrap and a migration included, before the load balancer's verdict counts."
  type        = number
  default     = 600

  validation {
    condition     = var.startup_grace_seconds >= 120 && var.startup_grace_seconds <= 7200
    error_message = "startup_grace_seconds is between 120 and 7200."
  }
}

variable "wait_for_steady_state" {
  description = "Whether apply waits until the new tasks serve, and fails if they do not."
  type        = bool
  default     = true
}
