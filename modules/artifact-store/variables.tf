variable "name" {
  description = "In front of every name, for example mlflow-prod. The buckets are <name>-<account>-artifacts and <name>-<account>-registry."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 31
    error_message = "name has 2 to 31 lower-case letters, digits and single hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "create_kms_key" {
  description = "Whether to make a KMS key for both buckets, which turns every year. Set it to false to give kms_key_arn."
  type        = bool
  default     = true

  validation {
    condition     = var.create_kms_key == (var.kms_key_arn == null) || var.existing != null
    error_message = "Either create_kms_key is true and kms_key_arn is not set, or create_kms_key=false and kms_key_arn names a key."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of yours for both buckets. With `existing`: the key of those buckets, if they have one."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
  }
}

variable "artifact_tiering" {
  description = "Cheaper storage for artifacts that few people read, from `after_days` on: INTELLIGENT_TIERING (no fee for reading), STANDARD_IA or GLACIER_IR. Classes that take hours to read, or live in one zone, are refused: a rollback must find its model at once. Default: none."
  type = object({
    storage_class = string
    after_days    = number
  })
  default = null

  validation {
    condition     = var.artifact_tiering == null ? true : contains(["INTELLIGENT_TIERING", "STANDARD_IA", "GLACIER_IR"], var.artifact_tiering.storage_class)
    error_message = "artifact_tiering.storage_class is INTELLIGENT_TIERING, STANDARD_IA or GLACIER_IR: from others an artifact cannot be read at once, or it lives in one zone."
  }

  validation {
    condition     = var.artifact_tiering == null ? true : floor(var.artifact_tiering.after_days) == var.artifact_tiering.after_days && var.artifact_tiering.after_days >= (var.artifact_tiering.storage_class == "STANDARD_IA" ? 30 : 0)
    error_message = "artifact_tiering.after_days is a whole number of days from 0 on; STANDARD_IA takes 30 at least."
  }
}

variable "access_logs" {
  description = "A bucket of yours that takes S3's access logs of both buckets, below <name>/artifacts/ and <name>/registry/. Default: none; CloudTrail data events tell more."
  type = object({
    bucket = string
  })
  default = null

  validation {
    condition     = var.access_logs == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_logs.bucket))
    error_message = "access_logs.bucket is the name of a bucket, not its ARN."
  }
}

variable "danger_force_destroy" {
  description = "Destroying the environment also destroys every artifact, ledger entry and piece of evidence, in all versions. For environments that hold nothing of worth."
  type        = bool
  default     = false
}

variable "existing" {
  description = "Buckets that are there already; nothing about them is changed. `mlflowctl doctor` tells what they lack. Two different buckets, both versioned."
  type = object({
    artifact_bucket = string
    registry_bucket = string
  })
  default = null

  validation {
    condition     = var.existing == null ? true : alltrue([for bucket in [var.existing.artifact_bucket, var.existing.registry_bucket] : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", bucket))])
    error_message = "existing.artifact_bucket and existing.registry_bucket are names of buckets, not ARNs."
  }

  validation {
    condition     = var.existing == null ? true : var.existing.artifact_bucket != var.existing.registry_bucket
    error_message = "existing.artifact_bucket and existing.registry_bucket must differ: who may write artifacts must not reach the ledger."
  }

  validation {
    condition     = var.existing == null || (var.artifact_tiering == null && var.access_logs == null && !var.danger_force_destroy)
    error_message = "existing buckets are not changed, so artifact_tiering, access_logs and danger_force_destroy make no sense with them."
  }
}
