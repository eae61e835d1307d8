# What an environment is. The next files of variables: database, entry, sizes.

variable "environment" {
  description = "Name of the environment: that of its file in envs/, and of the context (mlflowctl --context …)."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,14}$", var.environment)) && !contains(["local", "compose", "container", "client"], var.environment)
    error_message = "environment has 2 to 15 lower-case letters and digits and begins with a letter; local, compose, container and client mean other platforms."
  }
}

variable "name" {
  description = "In front of the environment in every name: <name>-<environment>."
  type        = string
  default     = "mlflow"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 15
    error_message = "name has up to 15 lower-case letters, digits and single hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "region" {
  description = "AWS region, such as eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is an AWS region such as eu-central-1."
  }
}

variable "account_id" {
  description = "The account that this environment belongs to: credentials of any other are refused."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id has 12 digits, in quotes."
  }
}

variable "size" {
  description = "small, medium or large: sizes.tf says what each buys."
  type        = string
  default     = "small"

  validation {
    condition     = contains(["small", "medium", "large"], var.size)
    error_message = "size is small, medium or large, not ${var.size}."
  }
}

variable "image" {
  description = "The project's own image (docker/Dockerfile.mlflow), with a tag or digest that never moves."
  type        = string
}

variable "tags" {
  description = "Further tags of every resource."
  type        = map(string)
  default     = {}
}

variable "cidr" {
  description = "Addresses of the new VPC, /16 to /22, private."
  type        = string
  default     = "10.20.0.0/16"
}

variable "availability_zones" {
  description = "Zones of the new VPC; later only append. Default: the first of the region, as many as the size says."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.availability_zones) != 1
    error_message = "availability_zones names one zone only; the load balancer and the database stand in two at least."
  }
}

variable "existing_network" {
  description = "A VPC that is there already."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
    public_subnet_ids  = optional(list(string), [])
  })
  default = null
}

variable "interface_endpoints" {
  description = "AWS services that are reached inside the VPC; needed with nat = \"none\"."
  type        = set(string)
  default     = []
}

variable "existing_buckets" {
  description = "Two buckets that are there already."
  type = object({
    artifact_bucket = string
    registry_bucket = string
  })
  default = null
}

variable "artifact_tiering" {
  description = "Cheaper storage for old artifacts; never a class that cannot be read at once."
  type = object({
    storage_class = string
    after_days    = number
  })
  default = null
}

variable "kms_key_arn" {
  description = "One KMS key of yours for everything; its policy must let CloudWatch Logs and CloudWatch alarms of this account use it. Default: a key for each module."
  type        = string
  default     = null
}

variable "iam_path" {
  description = "Path of every IAM role and policy."
  type        = string
  default     = "/"
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every IAM role."
  type        = string
  default     = null
}

variable "danger_force_destroy" {
  description = "DANGER: destroying the environment also destroys every object in its buckets, in all versions."
  type        = bool
  default     = false
}
