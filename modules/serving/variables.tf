variable "name" {
  description = "Name of the environment, for example mlflow-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 28 && !startswith(var.name, "internal-")
    error_message = "name has 2 to 28 lower-case letters, digits and single hyphens, begins with a letter (not with internal-) and does not end with a hyphen."
  }
}

variable "model" {
  description = "Name of the registered model."
  type        = string

  validation {
    condition     = can(regex("^[^/:[:space:]-][^/:]*$", var.model)) && length(var.model) <= 256
    error_message = "model is the name of a registered model: without / and :, and not beginning with a hyphen or a space."
  }
}

variable "short_name" {
  description = "The model in names of AWS: <name>-<short_name>, 31 characters together. For example fraud."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.short_name))
    error_message = "short_name has lower-case letters, digits and single hyphens between them."
  }

  validation {
    condition     = length(var.name) + length(var.short_name) <= 30
    error_message = "short_name ${var.short_name} is too long: ${var.name}-${var.short_name} may have 31 characters, the most that a load balancer and a role can be called."
  }
}

variable "image" {
  description = "The project's own image (docker/Dockerfile.mlflow), with a tag or digest that never moves."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._:/-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image names a registry path with a tag or digest, and not :latest: a rollback must find the image that ran before."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "private_subnet_ids" {
  description = "Subnets of the model servers and of their load balancer; in at least two zones, with a way to the tracking server, S3, ECR, Secrets Manager and CloudWatch Logs, and to where models get their Python packages from."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids needs at least two subnets, in different zones."
  }
}

variable "tracking_server" {
  description = "The outputs of the module tracking-server: tracking_server = module.tracking_server. Its cluster runs the tasks, its key encrypts their logs."
  type = object({
    url                             = string
    cluster_name                    = string
    cluster_arn                     = string
    load_balancer_security_group_id = string
    kms_key_arn                     = string
  })
}

variable "buckets" {
  description = "The outputs of the module artifact-store: buckets = module.artifact_store."
  type = object({
    artifact_bucket     = string
    registry_bucket     = string
    artifact_bucket_arn = string
    registry_bucket_arn = string
    kms_key_arn         = optional(string)
  })
}

variable "login_secret_arn" {
  description = "A secret with the MLflow login of a reader: JSON with the keys username and password. Never that of the user admin."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$", var.login_secret_arn))
    error_message = "login_secret_arn is the ARN of one secret (arn:aws:secretsmanager:…:secret:…), without a JSON key behind it."
  }
}

variable "login_secret_kms_key_arn" {
  description = "The key of that secret; null if AWS's own key encrypts it."
  type        = string
  default     = null

  validation {
    condition     = var.login_secret_kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.login_secret_kms_key_arn))
    error_message = "login_secret_kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
  }
}

variable "environment" {
  description = "Further environment variables of the model servers (a proxy, a package index). No secrets: everybody who may describe the task definition reads them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : !can(regex("(?i)password|secret|token|_key$", name))])
    error_message = "environment holds no secrets: they would stand readable in the task definition and the state."
  }

  validation {
    condition     = length(setintersection(keys(var.environment), local.own_variables)) == 0
    error_message = "environment names a variable that this module sets: ${join(", ", setintersection(keys(var.environment), local.own_variables))}."
  }
}

variable "log_retention_days" {
  description = "Days for which the logs of the model servers are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, …"
  }
}

variable "sns_topic_arn" {
  description = "Where alarms go. Default: they are there, and tell nobody."
  type        = string
  default     = null

  validation {
    condition     = var.sns_topic_arn == null ? true : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.sns_topic_arn))
    error_message = "sns_topic_arn is the ARN of a standard topic of SNS."
  }
}

variable "errors_percent" {
  description = "Share of a variant's requests (of at least 20 in 5 minutes) that may fail with 5xx before its alarm goes off."
  type        = number
  default     = 5

  validation {
    condition     = var.errors_percent > 0 && var.errors_percent <= 100
    error_message = "errors_percent is above 0 and at most 100."
  }
}

variable "iam_path" {
  description = "Path of the IAM roles."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "iam_path begins and ends with a slash."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the IAM roles."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is the ARN of an IAM policy."
  }
}
