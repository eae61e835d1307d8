# How data is kept: backups, restores, upkeep, protection.

variable "backup_retention_days" {
  description = "Days for which any point in time can be restored."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days is between 1 and 35; 0 would switch point-in-time recovery off."
  }
}

variable "backup_window" {
  description = "When the daily snapshot is taken (UTC)."
  type        = string
  default     = "02:00-03:00"

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", var.backup_window))
    error_message = "backup_window looks like 02:00-03:00."
  }
}

variable "maintenance_window" {
  description = "When RDS may patch and restart (UTC)."
  type        = string
  default     = "sun:03:30-sun:04:30"

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$", var.maintenance_window))
    error_message = "maintenance_window looks like sun:03:30-sun:04:30."
  }
}

variable "apply_immediately" {
  description = "Whether changes happen during apply, or in the next maintenance window (until then every plan shows them again)."
  type        = bool
  default     = true
}

variable "monitoring_interval" {
  description = "Seconds between two samples of the operating system's metrics; 0 switches them off."
  type        = number
  default     = 60

  validation {
    condition     = contains([0, 1, 5, 10, 15, 30, 60], var.monitoring_interval)
    error_message = "monitoring_interval is 0, 1, 5, 10, 15, 30 or 60."
  }
}

variable "log_retention_days" {
  description = "Days for which PostgreSQL's logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, …"
  }
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the database. Switching it off needs danger_allow_unprotected too."
  type        = bool
  default     = true

  validation {
    condition     = var.deletion_protection || var.danger_allow_unprotected
    error_message = "deletion_protection=false lets a destroy or a replacement delete the database. If that is meant, set danger_allow_unprotected=true as well."
  }
}

variable "danger_allow_unprotected" {
  description = "DANGER: allows instances without deletion protection."
  type        = bool
  default     = false
}

variable "danger_skip_final_snapshot" {
  description = "DANGER: a deleted instance leaves no snapshot behind."
  type        = bool
  default     = false
}

variable "instances" {
  description = "The database instances, by key. Normally one, main. To restore, add one beside it with the point in time (RFC 3339), look at it, then set serving to its key; when the old one is no longer needed, take its protection off with the AWS CLI and remove it from here."
  type = map(object({
    restore_from = optional(string)
    restore_time = optional(string)
  }))
  default = { main = {} }

  validation {
    condition     = length(var.instances) > 0 && alltrue([for key in keys(var.instances) : can(regex("^[a-z][a-z0-9]{0,15}$", key))])
    error_message = "instances has at least one key, each of at most 16 lower-case letters and digits."
  }

  validation {
    condition = alltrue([
      for one in values(var.instances) : (one.restore_from == null) == (one.restore_time == null) &&
      (one.restore_time == null ? true : can(timeadd(one.restore_time, "0s")))
    ])
    error_message = "An instance that is restored names both restore_from (a key) and restore_time (RFC 3339, such as 2026-11-24T03:00:00Z)."
  }
}

variable "serving" {
  description = "The key of the instance that the outputs describe, and so the server uses."
  type        = string
  default     = "main"

  validation {
    condition     = var.existing != null || contains(keys(var.instances), var.serving)
    error_message = "serving is not a key of instances."
  }
}
