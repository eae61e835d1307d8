variable "name" {
  description = "In front of every name of the environment, for example mlflow-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 31
    error_message = "name has 2 to 31 lower-case letters, digits and single hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "artifact_bucket_arn" {
  description = "The bucket of artifacts. Default: the one that artifact-store makes under this name. The deployer only looks at a bucket that is told here."
  type        = string
  default     = null

  validation {
    condition     = var.artifact_bucket_arn == null ? true : can(regex("^arn:[a-z-]+:s3:::[^/*]+$", var.artifact_bucket_arn))
    error_message = "artifact_bucket_arn is the ARN of a bucket (arn:aws:s3:::name), without a path."
  }
}

variable "registry_bucket_arn" {
  description = "The bucket of ledger, leases and evidence. Default: the one that artifact-store makes under this name."
  type        = string
  default     = null

  validation {
    condition     = var.registry_bucket_arn == null ? true : can(regex("^arn:[a-z-]+:s3:::[^/*]+$", var.registry_bucket_arn))
    error_message = "registry_bucket_arn is the ARN of a bucket (arn:aws:s3:::name), without a path."
  }

  validation {
    condition     = var.registry_bucket_arn == null ? true : var.registry_bucket_arn != var.artifact_bucket_arn
    error_message = "registry_bucket_arn must differ from artifact_bucket_arn: who may write artifacts must not reach the ledger."
  }
}

variable "kms_key_arn" {
  description = "The key of both buckets; null if AWS's own key encrypts them."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
  }
}

variable "direct_artifacts" {
  description = "Whether clients reach artifacts in S3 themselves. By default they ask the server, whose login then decides, and these policies open no artifact."
  type        = bool
  default     = false
}

variable "parameter" {
  description = "The parameter in which the environment tells where it is, such as /mlflowctl/prod. Default: none is opened."
  type        = string
  default     = null

  validation {
    condition     = var.parameter == null ? true : can(regex("^/[A-Za-z0-9_./-]+[A-Za-z0-9_.-]$", var.parameter))
    error_message = "parameter is the full name of a parameter, such as /mlflowctl/prod."
  }
}

variable "traffic_rule_arns" {
  description = "Rules of listeners whose weights a promoter may change: rule_arn of each module serving. Default: none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.traffic_rule_arns : can(regex("^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener-rule/app/[^*]+$", arn))])
    error_message = "traffic_rule_arns holds ARNs of single rules of application load balancers (…:listener-rule/app/…)."
  }
}

variable "login_secrets" {
  description = "Secrets with a MLflow login that a role may read: ARNs by role. Never the secret of the user admin: whoever logs in as admin can do everything."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.login_secrets), ["reader", "trainer", "promoter"])) == 0
    error_message = "login_secrets has the keys reader, trainer and promoter."
  }

  validation {
    condition     = alltrue([for arn in flatten(values(var.login_secrets)) : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*]+$", arn))])
    error_message = "login_secrets holds ARNs of single secrets (arn:aws:secretsmanager:…:secret:…)."
  }
}

variable "login_secrets_kms_key_arn" {
  description = "The key of those secrets; null if AWS's own key encrypts them."
  type        = string
  default     = null

  validation {
    condition     = var.login_secrets_kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.login_secrets_kms_key_arn))
    error_message = "login_secrets_kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
  }
}

variable "deployer" {
  description = "What `terraform apply` of infra/aws needs; null: no policies for it. `tags` are those that every resource of the environment carries (the provider's default tags, such as Project and Environment): what carries others cannot be touched. `permissions_boundary_arn` bounds every role that is made. `state_bucket_arn` and `state_prefix` say where the state is. `zone_ids`, `existing_listener_arns`, `web_acl_arns`, `kms_key_arns`, `vpc_ids`, `security_group_ids` (of an existing database or load balancer): things of others that the environment is told to use."
  type = object({
    tags                     = map(string)
    permissions_boundary_arn = string
    state_bucket_arn         = string
    state_prefix             = string
    iam_path                 = optional(string, "/")
    zone_ids                 = optional(list(string), [])
    existing_listener_arns   = optional(list(string), [])
    web_acl_arns             = optional(list(string), [])
    kms_key_arns             = optional(list(string), [])
    vpc_ids                  = optional(list(string), [])
    security_group_ids       = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.deployer == null ? true : length(var.deployer.tags) > 0
    error_message = "deployer.tags needs at least one tag: without it the deployer could change every network of the account."
  }

  validation {
    condition     = var.deployer == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.deployer.permissions_boundary_arn))
    error_message = "deployer.permissions_boundary_arn is the ARN of a policy: without a boundary, whoever makes roles can make one that may do everything."
  }

  validation {
    condition     = var.deployer == null ? true : can(regex("^arn:[a-z-]+:s3:::[^/*]+$", var.deployer.state_bucket_arn))
    error_message = "deployer.state_bucket_arn is the ARN of a bucket (arn:aws:s3:::name), without a path."
  }

  validation {
    condition     = var.deployer == null ? true : can(regex("^([A-Za-z0-9_.-]+/)+$", var.deployer.state_prefix))
    error_message = "deployer.state_prefix ends with a slash and does not begin with one, such as environments/prod/."
  }

  validation {
    condition     = var.deployer == null ? true : can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.deployer.iam_path))
    error_message = "deployer.iam_path begins and ends with a slash."
  }

  validation {
    condition     = var.deployer == null ? true : alltrue([for id in var.deployer.zone_ids : can(regex("^Z[A-Z0-9]+$", id))])
    error_message = "deployer.zone_ids look like Z0123456789ABCDEFGHIJ."
  }

  validation {
    condition     = var.deployer == null ? true : alltrue([for arn in concat(var.deployer.existing_listener_arns, var.deployer.web_acl_arns, var.deployer.kms_key_arns) : can(regex("^arn:[a-z-]+:(elasticloadbalancing|wafv2|kms):[^*]+$", arn))])
    error_message = "deployer.existing_listener_arns, web_acl_arns and kms_key_arns are full ARNs without asterisks."
  }

  validation {
    condition     = var.deployer == null ? true : alltrue([for id in concat(var.deployer.vpc_ids, var.deployer.security_group_ids) : can(regex("^(vpc|sg)-[0-9a-f]+$", id))])
    error_message = "deployer.vpc_ids and security_group_ids look like vpc-0123456789abcdef0 and sg-0123456789abcdef0."
  }
}

variable "create_policies" {
  description = "Whether to make managed policies of the documents, named <name>-reader and so on."
  type        = bool
  default     = false
}

variable "iam_path" {
  description = "Path of the managed policies. Keep it apart from deployer.iam_path: the deployer cannot change policies outside of its own path."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "iam_path begins and ends with a slash."
  }
}
