variable "postgres_version" {
  description = "PostgreSQL: a major version (RDS keeps it at the newest minor one) or an exact one."
  type        = string
  default     = "18"
}

variable "allow_major_upgrade" {
  description = "Whether postgres_version may raise the major version of the running database, in this one apply."
  type        = bool
  default     = false
}

variable "password_version" {
  description = "Raise it by one to give database and MLflow new passwords and roll the service, in one apply."
  type        = number
  default     = 1
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the database."
  type        = bool
  default     = true

  validation {
    condition     = var.deletion_protection || var.danger_allow_unprotected || !startswith(var.environment, "prod")
    error_message = "deletion_protection=false lets a destroy or a replacement delete the database of ${var.environment}. If that is meant, set danger_allow_unprotected=true as well."
  }
}

variable "danger_allow_unprotected" {
  description = "DANGER: allows deletion_protection=false in an environment whose name begins with prod."
  type        = bool
  default     = false
}

variable "danger_skip_final_snapshot" {
  description = "DANGER: a deleted database leaves no snapshot behind."
  type        = bool
  default     = false
}

variable "database_instances" {
  description = "The databases of this environment; `mlflowctl cloud restore` adds one beside the others."
  type = map(object({
    restore_from        = optional(string)
    restore_time        = optional(string)
    deletion_protection = optional(bool)
  }))
  default = { main = {} }
}

variable "serving_database" {
  description = "Which of database_instances serves."
  type        = string
  default     = "main"
}

variable "existing_database" {
  description = "A PostgreSQL that is there already."
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
}
