# Who is told when something is wrong, and who may do what.

variable "alarm_email" {
  description = "Address that gets every alarm; AWS sends it a link to confirm first."
  type        = string
  default     = null
}

variable "sns_topic_arn" {
  description = "A topic of yours for all alarms. Default: one is made."
  type        = string
  default     = null
}

variable "alarm_thresholds" {
  description = "When alarms go off; modules/observability says what each means."
  type        = map(number)
  default     = {}

  validation {
    condition = length(setsubtract(keys(var.alarm_thresholds), [
      "server_5xx_percent", "load_balancer_5xx", "cpu_percent", "memory_percent", "database_cpu_percent",
      "database_connections_percent", "database_free_percent",
    ])) == 0
    error_message = "alarm_thresholds has the keys server_5xx_percent, load_balancer_5xx, cpu_percent, memory_percent, database_cpu_percent, database_connections_percent and database_free_percent."
  }
}

variable "dashboard" {
  description = "Whether to make a dashboard."
  type        = bool
  default     = true
}

variable "backup" {
  description = "Whether AWS Backup copies database and buckets into a vault, beside the restore of any second."
  type        = bool
  default     = false
}

variable "backup_keep_days" {
  description = "How long those copies are kept."
  type        = number
  default     = 35
}

variable "direct_artifacts" {
  description = "Whether the policies open artifacts in S3 to clients; by default clients ask the server."
  type        = bool
  default     = false
}

variable "create_access_policies" {
  description = "Whether to make managed policies for reader, trainer and promoter. Whoever applies this then needs the right to."
  type        = bool
  default     = false
}
