variable "name" {
  description = "Name of the environment, for example mlflow-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 31 && !startswith(var.name, "internal-")
    error_message = "name has 2 to 31 lower-case letters, digits and single hyphens, begins with a letter (not with internal-) and does not end with a hyphen."
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
  description = "Subnets of the server, and of the load balancer while it is internal; in at least two zones, with a way to S3, ECR, Secrets Manager and CloudWatch Logs."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids needs at least two subnets, in different zones."
  }
}

variable "database" {
  description = "The outputs of the module database: database = module.database."
  type = object({
    host                 = string
    port                 = number
    name                 = string
    security_group_id    = string
    admin_secret_arn     = string
    app_secret_arn       = string
    secrets_kms_key_arns = optional(list(string), [])
    password_version     = optional(number, 1)
    max_connections      = optional(number)
  })
}

variable "database_ssl_mode" {
  description = "libpq's sslmode. verify-full needs the authorities of RDS inside the image (database_ca_file)."
  type        = string
  default     = "require"

  validation {
    condition     = contains(["require", "verify-ca", "verify-full"], var.database_ssl_mode)
    error_message = "database_ssl_mode is require, verify-ca or verify-full."
  }

  validation {
    condition     = var.database_ssl_mode == "require" || var.database_ca_file != null
    error_message = "database_ssl_mode ${var.database_ssl_mode} needs database_ca_file: the path inside the image of the certificate bundle of RDS."
  }
}

variable "database_ca_file" {
  description = "Path inside the image of the certificate authorities that database_ssl_mode checks against."
  type        = string
  default     = null
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

variable "environment" {
  description = "Further environment variables of the server (a proxy, MLFLOWCTL_WORKERS). No secrets: everybody who may describe the task definition reads them."
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

variable "password_version" {
  description = "Raise it by one to give MLflow's admin a new password and the forms a new key."
  type        = number
  default     = 1

  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version is a whole number from 1 on."
  }
}

variable "log_retention_days" {
  description = "Days for which the logs of server, bootstrap and probe are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, …"
  }
}

variable "create_ecr_repository" {
  description = "Whether to make an ECR repository named like the environment. Push the image before the service can start."
  type        = bool
  default     = false
}

variable "create_kms_key" {
  description = "Whether to make a KMS key for secrets, logs and images. Set it to false to give kms_key_arn."
  type        = bool
  default     = true

  validation {
    condition     = var.create_kms_key == (var.kms_key_arn == null)
    error_message = "Either create_kms_key is true and kms_key_arn is not set, or create_kms_key=false and kms_key_arn names a key."
  }
}

variable "kms_key_arn" {
  description = "A key of yours; its policy must let CloudWatch Logs of this account and region use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
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
