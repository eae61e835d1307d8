variable "name" {
  description = "Name of the environment, for example mlflow-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 31
    error_message = "name has 2 to 31 lower-case letters, digits and single hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "server" {
  description = "The outputs of the module tracking-server: server = module.tracking_server."
  type = object({
    cluster_name             = string
    cluster_arn              = string
    service_name             = string
    load_balancer_arn_suffix = string
    target_group_arn_suffix  = string
    log_group_names          = map(string)
  })

  validation {
    condition     = length(setsubtract(["bootstrap", "probe"], keys(var.server.log_group_names))) == 0
    error_message = "server.log_group_names names the log groups of bootstrap and probe: two alarms are made from what they say."
  }
}

variable "database" {
  description = "The outputs of the module database: database = module.database. Without an instance_identifier (a database outside RDS) there are no alarms for it."
  type = object({
    instance_identifier = optional(string)
    max_connections     = optional(number)
    allocated_storage   = optional(number)
  })
  default = {}
}

variable "alarm_email" {
  description = "Address that gets every alarm. AWS sends it a link to confirm first; until then nothing arrives."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_email == null ? true : can(regex("^[^@[:space:]]+@[^@[:space:]]+\\.[^@[:space:]]+$", var.alarm_email))
    error_message = "alarm_email is one e-mail address."
  }
}

variable "sns_topic_arn" {
  description = "A topic of yours for all alarms, which CloudWatch may publish to. Default: one is made. Must be known at plan time."
  type        = string
  default     = null

  validation {
    condition     = var.sns_topic_arn == null ? true : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.sns_topic_arn))
    error_message = "sns_topic_arn is the ARN of a standard topic of SNS."
  }

  validation {
    condition     = var.sns_topic_arn == null || var.alarm_email == null
    error_message = "alarm_email is subscribed to the topic that is made here; with sns_topic_arn, subscribe it to that topic yourself."
  }
}

variable "thresholds" {
  description = "When alarms go off. server_5xx_percent: of at least 20 requests in 5 minutes. database_free_percent: of allocated_storage. The others are per cent too; load_balancer_5xx is a number in 5 minutes."
  type = object({
    server_5xx_percent           = optional(number, 5)
    load_balancer_5xx            = optional(number, 10)
    cpu_percent                  = optional(number, 85)
    memory_percent               = optional(number, 90)
    database_cpu_percent         = optional(number, 85)
    database_connections_percent = optional(number, 80)
    database_free_percent        = optional(number, 5)
  })
  default = {}

  validation {
    condition     = alltrue([for name, value in var.thresholds : value > 0 && (value <= 100 || name == "load_balancer_5xx")])
    error_message = "thresholds are above 0, and those in per cent at most 100."
  }
}

variable "log_retention_days" {
  description = "Days for which the log of events (stopped tasks and why, deployments) is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, …"
  }
}

variable "dashboard" {
  description = "Whether to make a dashboard."
  type        = bool
  default     = true
}

variable "backup" {
  description = "AWS Backup: copies beside the point-in-time recovery of RDS and the versions in the buckets, in a vault of their own. resource_arns: the database instance and the buckets. Off by default."
  type = object({
    resource_arns = list(string)
    schedule      = optional(string, "cron(0 5 * * ? *)")
    keep_days     = optional(number, 35)
  })
  default = null

  validation {
    condition     = var.backup == null ? true : length(var.backup.resource_arns) > 0
    error_message = "backup.resource_arns names at least one resource."
  }

  validation {
    condition     = var.backup == null ? true : can(regex("^(cron|rate)\\(.+\\)$", var.backup.schedule))
    error_message = "backup.schedule looks like cron(0 5 * * ? *)."
  }

  validation {
    condition     = var.backup == null ? true : var.backup.keep_days >= 1 && var.backup.keep_days <= 36500
    error_message = "backup.keep_days is between 1 and 36500."
  }
}

variable "create_kms_key" {
  description = "Whether to make a KMS key for topic, events and backup vault. Set it to false to give kms_key_arn."
  type        = bool
  default     = true

  validation {
    condition     = var.create_kms_key == (var.kms_key_arn == null)
    error_message = "Either create_kms_key is true and kms_key_arn is not set, or create_kms_key=false and kms_key_arn names a key."
  }
}

variable "kms_key_arn" {
  description = "A key of yours; its policy must let CloudWatch and CloudWatch Logs of this account use it, or alarms get lost."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
  }
}

variable "iam_path" {
  description = "Path of the role of AWS Backup."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "iam_path begins and ends with a slash."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role of AWS Backup."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is the ARN of an IAM policy."
  }
}
