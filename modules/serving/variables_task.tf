# How large a task is, how many there are, and how long they may take to start and to end.

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
  description = "MiB of one task. While a new version takes over, a champion's task has two versions loaded, a challenger's three."
  type        = number
  default     = 4096

  validation {
    condition = contains(lookup({
      "512"   = [1024, 2048, 3072, 4096]
      "1024"  = [for n in range(2, 9) : n * 1024]
      "2048"  = [for n in range(4, 17) : n * 1024]
      "4096"  = [for n in range(8, 31) : n * 1024]
      "8192"  = [for n in range(16, 61, 4) : n * 1024]
      "16384" = [for n in range(32, 121, 8) : n * 1024]
    }, tostring(var.cpu), []), var.memory)
    error_message = "Fargate does not offer memory ${var.memory} with cpu ${var.cpu}. With cpu 1024 memory is 2048 to 8192, in steps of 1024."
  }
}

variable "ephemeral_storage" {
  description = "GiB of scratch space of one task: models, and the Python environment of each, of up to three versions at a time."
  type        = number
  default     = 30

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
  description = "Tasks of the champion at rest. Two survive the loss of a zone."
  type        = number
  default     = 2

  validation {
    condition     = var.min_tasks >= 1 && floor(var.min_tasks) == var.min_tasks
    error_message = "min_tasks is a whole number from 1 on."
  }
}

variable "max_tasks" {
  description = "Tasks of the champion under load."
  type        = number
  default     = 4

  validation {
    condition     = var.max_tasks >= var.min_tasks && floor(var.max_tasks) == var.max_tasks
    error_message = "max_tasks is a whole number, not below min_tasks."
  }
}

variable "challenger_min_tasks" {
  description = "Tasks of the challenger at rest; without one they wait, with the champion loaded."
  type        = number
  default     = 1

  validation {
    condition     = var.challenger_min_tasks >= 1 && floor(var.challenger_min_tasks) == var.challenger_min_tasks
    error_message = "challenger_min_tasks is a whole number from 1 on: without a task its share of the requests would be answered 503."
  }
}

variable "challenger_max_tasks" {
  description = "Tasks of the challenger under load: half of the requests may be its."
  type        = number
  default     = 2

  validation {
    condition     = var.challenger_max_tasks >= var.challenger_min_tasks && floor(var.challenger_max_tasks) == var.challenger_max_tasks
    error_message = "challenger_max_tasks is a whole number, not below challenger_min_tasks."
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
  description = "Requests per task and minute that autoscaling aims at. Measure your model: a small one answers hundreds a second."
  type        = number
  default     = 3000

  validation {
    condition     = var.target_requests_per_minute >= 10
    error_message = "target_requests_per_minute is at least 10."
  }
}

variable "startup_grace_seconds" {
  description = "How long a model may load, its Python environment included, and how long the load balancer's verdict on a new task does not count."
  type        = number
  default     = 600

  validation {
    condition     = var.startup_grace_seconds >= 120 && var.startup_grace_seconds <= 7200
    error_message = "startup_grace_seconds is between 120 and 7200."
  }
}

variable "drain_seconds" {
  description = "How long requests that are under way may go on when a task leaves the load balancer."
  type        = number
  default     = 60

  validation {
    condition     = var.drain_seconds >= 5 && var.drain_seconds <= 3600
    error_message = "drain_seconds is between 5 and 3600: with less, requests under way would be cut off."
  }
}

variable "wait_for_steady_state" {
  description = "Whether apply waits until the new tasks serve, and fails if they do not. The model needs a champion then."
  type        = bool
  default     = true
}
