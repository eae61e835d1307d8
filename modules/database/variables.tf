variable "name" {
  description = "Name of the environment, for example mlflow-prod. The first instance has this identifier."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 31
    error_message = "name has 2 to 31 lower-case letters, digits and single hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "vpc_id" {
  description = "The VPC of the database. Not needed with existing."
  type        = string
  default     = null

  validation {
    condition     = var.existing != null || var.vpc_id != null
    error_message = "vpc_id is needed to create a database; or name an existing one."
  }
}

variable "subnet_ids" {
  description = "Private subnets in at least two zones. Not needed with existing."
  type        = list(string)
  default     = []

  validation {
    condition     = var.existing != null || length(var.subnet_ids) >= 2
    error_message = "subnet_ids needs at least two subnets, in different zones: RDS refuses fewer."
  }
}

variable "existing" {
  description = "A PostgreSQL that exists already; nothing but a missing secret of the role mlflow is then created. The secrets hold bare passwords (or name a JSON key: <arn>:<key>::). password_version: raise it when you changed one."
  type = object({
    host                = string
    security_group_id   = string
    admin_secret_arn    = string
    app_secret_arn      = optional(string)
    port                = optional(number, 5432)
    name                = optional(string, "mlflow")
    instance_identifier = optional(string)
    secrets_kms_key_arn = optional(string)
    max_connections     = optional(number)
    password_version    = optional(number, 1)
  })
  default = null

  validation {
    condition     = var.existing == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9.-]*$", var.existing.host))
    error_message = "existing.host is a host name without scheme and port."
  }

  validation {
    condition = var.existing == null ? true : alltrue([
      for arn in compact([var.existing.admin_secret_arn, var.existing.app_secret_arn]) :
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$", arn))
    ])
    error_message = "existing.admin_secret_arn and app_secret_arn are ARNs of Secrets Manager secrets (arn:aws:secretsmanager:…:secret:…)."
  }
}

variable "database_name" {
  description = "The database that bootstrap creates, owned by the role mlflow."
  type        = string
  default     = "mlflow"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name has lower-case letters, digits and underscores, and begins with a letter."
  }
}

variable "engine_version" {
  description = "PostgreSQL: a major version (RDS then keeps it at the newest minor one by itself) or an exact one such as 18.1."
  type        = string
  default     = "18"

  validation {
    condition     = can(regex("^[0-9]+(\\.[0-9]+)?$", var.engine_version)) ? tonumber(split(".", var.engine_version)[0]) >= 18 : false
    error_message = "engine_version is 18 or newer (18, 18.1): the local stack and the migrations are tested with that. An older PostgreSQL would be a downgrade, which RDS cannot do: restore a dump into a new database instead."
  }
}

variable "allow_major_upgrade" {
  description = "Whether engine_version may raise the major version of a running database. It is down meanwhile; take a snapshot first, there is no way back."
  type        = bool
  default     = false
}

variable "instance_class" {
  description = "RDS instance class."
  type        = string
  default     = "db.t4g.medium"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class looks like db.t4g.medium."
  }
}

variable "multi_az" {
  description = "Whether a standby in another zone takes over when the first fails."
  type        = bool
  default     = true
}

variable "allocated_storage" {
  description = "GiB at first."
  type        = number
  default     = 20

  validation {
    condition     = var.allocated_storage >= 20 && var.allocated_storage <= 65536 && floor(var.allocated_storage) == var.allocated_storage
    error_message = "allocated_storage is a whole number of GiB between 20 and 65536."
  }
}

variable "max_allocated_storage" {
  description = "GiB up to which RDS grows the storage by itself."
  type        = number
  default     = 200

  validation {
    condition     = var.max_allocated_storage >= ceil(var.allocated_storage * 1.1) && var.max_allocated_storage <= 65536
    error_message = "max_allocated_storage must be at least a tenth more than allocated_storage (else RDS never grows it), and at most 65536."
  }
}

variable "max_connections" {
  description = "Connections that PostgreSQL accepts. One server task keeps up to 40 and peaks at 80; during a deployment there are twice as many tasks."
  type        = number
  default     = 400

  validation {
    condition     = var.max_connections >= 100 && var.max_connections <= 5000 && floor(var.max_connections) == var.max_connections
    error_message = "max_connections is a whole number between 100 (as in the local stack) and 5000."
  }
}

variable "password_version" {
  description = "Raise it by one to give both roles new passwords; hand the output of the same name to tracking-server, so that the same apply rolls the service."
  type        = number
  default     = 1

  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version is a whole number from 1 on."
  }
}

variable "create_kms_key" {
  description = "Whether to make a KMS key for storage, snapshots, secrets and logs. Set it to false to give kms_key_arn."
  type        = bool
  default     = true

  validation {
    condition     = var.create_kms_key == (var.kms_key_arn == null) || var.existing != null
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
