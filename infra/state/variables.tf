variable "region" {
  description = "The region of the bucket; the environments of this region keep their state in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is an AWS region such as eu-central-1."
  }
}

variable "bucket_name" {
  description = "Name of the bucket. Default: mlflowctl-state-<account>-<region>."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null ? true : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name has 3 to 63 lower-case letters, digits and hyphens, and no hyphen at its ends."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of yours for the state. Default: the account's own key for S3 (aws/s3)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
  }
}

variable "noncurrent_days" {
  description = "How long an old version of a state is kept, in days."
  type        = number
  default     = 365

  validation {
    condition     = var.noncurrent_days >= 30
    error_message = "noncurrent_days must be at least 30: an old version is the only way back from a broken state."
  }
}

variable "adopt" {
  description = "Parts that exist already and are taken over instead of created. Empty the first time; `mlflowctl cloud backend` finds them by itself."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.adopt, ["bucket", "versioning", "encryption", "public_access", "ownership", "policy", "lifecycle"])) == 0
    error_message = "adopt names parts: bucket, versioning, encryption, public_access, ownership, policy, lifecycle."
  }
}
