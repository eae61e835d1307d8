# Each overrides one figure of sizes.tf; null leaves that of the size. The modules say what is allowed.

variable "nat" {
  description = "one, per-zone or none."
  type        = string
  default     = null
}

variable "instance_class" {
  description = "RDS instance class."
  type        = string
  default     = null
}

variable "multi_az" {
  description = "Whether the database has a standby in another zone."
  type        = bool
  default     = null
}

variable "allocated_storage" {
  description = "GiB of the database at first."
  type        = number
  default     = null
}

variable "max_allocated_storage" {
  description = "GiB up to which RDS grows the storage."
  type        = number
  default     = null
}

variable "max_connections" {
  description = "Connections that PostgreSQL accepts."
  type        = number
  default     = null
}

variable "backup_retention_days" {
  description = "Days for which any point in time can be restored."
  type        = number
  default     = null
}

variable "cpu" {
  description = "CPU units of one task."
  type        = number
  default     = null
}

variable "memory" {
  description = "MiB of one task."
  type        = number
  default     = null
}

variable "min_tasks" {
  description = "Tasks at rest."
  type        = number
  default     = null
}

variable "max_tasks" {
  description = "Tasks under load."
  type        = number
  default     = null
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = null
}
