variable "name" {
  description = "In front of every name, for example mlflow-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 31
    error_message = "name has 2 to 31 lower-case letters, digits and single hyphens, begins with a letter and does not end with a hyphen."
  }
}

variable "cidr" {
  description = "Addresses of the new VPC: a private range from /16 to /22. It is cut into 16 equal parts: the first 8 for private subnets, the last 8 for public ones."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr))
    error_message = "cidr is an IPv4 range such as 10.20.0.0/16."
  }

  validation {
    condition     = can(cidrnetmask(var.cidr)) ? cidrsubnet(var.cidr, 0, 0) == var.cidr : true
    error_message = "cidr has bits set behind its prefix: write the first address of the range, such as 10.20.0.0/16 instead of 10.20.0.1/16."
  }

  validation {
    condition     = can(cidrnetmask(var.cidr)) ? contains(range(16, 23), tonumber(split("/", var.cidr)[1])) : true
    error_message = "cidr is between /16 and /22: smaller leaves no room for a load balancer in each of its subnets, and AWS makes no larger VPC."
  }

  validation {
    condition     = can(cidrnetmask(var.cidr)) ? can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.|100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.)", var.cidr)) : true
    error_message = "cidr is a private range (10/8, 172.16/12, 192.168/16 or 100.64/10): a public one hides its owners from the VPC."
  }
}

variable "availability_zones" {
  description = "Zones of the new VPC, 2 to 6, such as [\"eu-central-1a\", \"eu-central-1b\"]. A zone's place in the list decides its addresses: later only append. Not needed with `existing`."
  type        = list(string)
  default     = []

  validation {
    condition     = var.existing != null || (length(distinct(var.availability_zones)) >= 2 && length(var.availability_zones) <= 6)
    error_message = "availability_zones names 2 to 6 different zones: the load balancer and the database stand in two at least."
  }

  validation {
    condition     = length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones names a zone twice."
  }

  validation {
    condition     = alltrue([for zone in var.availability_zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "availability_zones are full names of zones, such as eu-central-1a."
  }
}

variable "nat" {
  description = "The way out of private subnets: \"one\" NAT gateway (cheaper; its zone is a single point of failure), one \"per-zone\", or \"none\" (then AWS is reached by interface endpoints only)."
  type        = string
  default     = "one"

  validation {
    condition     = contains(["one", "per-zone", "none"], var.nat)
    error_message = "nat is one, per-zone or none."
  }

  validation {
    condition     = var.nat != "none" || var.existing != null || length(setsubtract(["ecr.api", "ecr.dkr", "logs", "secretsmanager"], var.interface_endpoints)) == 0
    error_message = "nat = \"none\" cuts the tasks off from AWS unless interface_endpoints holds ecr.api, ecr.dkr, logs and secretsmanager."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached inside the VPC, such as [\"ecr.api\", \"ecr.dkr\", \"logs\", \"secretsmanager\"]. Each costs an hourly fee per zone. S3 always has its gateway endpoint, which is free."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9][a-z0-9.-]*$", service))])
    error_message = "interface_endpoints are short names of services, such as logs or ecr.api, not com.amazonaws.… names."
  }

  validation {
    condition     = alltrue([for service in var.interface_endpoints : !startswith(service, "com.amazonaws") && service != "s3"])
    error_message = "interface_endpoints are short names of services, such as logs or ecr.api; s3 is not among them, since it has a gateway endpoint."
  }
}

variable "flow_logs_retention_days" {
  description = "How long the log of accepted and refused connections is kept, in days; 0 makes none."
  type        = number
  default     = 365

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_logs_retention_days)
    error_message = "flow_logs_retention_days is 0 or one of the values that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "create_kms_key" {
  description = "Whether to make a KMS key for flow logs, which turns every year. Set it to false to give kms_key_arn."
  type        = bool
  default     = true

  validation {
    condition     = var.create_kms_key == (var.kms_key_arn == null) || var.existing != null || var.flow_logs_retention_days == 0
    error_message = "Either create_kms_key is true and kms_key_arn is not set, or create_kms_key=false and kms_key_arn names a key."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of yours for the flow logs; its policy must let CloudWatch Logs of this account and region use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key (arn:aws:kms:…:key/…), not of an alias."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the role of the flow logs, where your account demands one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is the ARN of a policy (arn:aws:iam::…:policy/…)."
  }
}

variable "iam_path" {
  description = "Path of the role of the flow logs."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([A-Za-z0-9_.,+@=-]+/)*$", var.iam_path))
    error_message = "iam_path starts and ends with a slash, such as /mlflow/."
  }
}

variable "existing" {
  description = "A network that is there already, which is then only looked at: nothing in it is made or changed. Its private subnets lie in two zones at least and reach AWS through a NAT gateway or endpoints; public ones are needed only for an internet-facing load balancer."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
    public_subnet_ids  = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.existing == null ? true : can(regex("^vpc-[0-9a-f]+$", var.existing.vpc_id))
    error_message = "existing.vpc_id looks like vpc-0123456789abcdef0."
  }

  validation {
    condition     = var.existing == null ? true : alltrue([for id in concat(var.existing.private_subnet_ids, var.existing.public_subnet_ids) : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "existing.private_subnet_ids and existing.public_subnet_ids look like subnet-0123456789abcdef0."
  }

  validation {
    condition     = var.existing == null ? true : length(distinct(var.existing.private_subnet_ids)) >= 2 && length(distinct(var.existing.public_subnet_ids)) != 1
    error_message = "existing names at least two private subnets, and no public subnet or at least two: load balancer and database stand in two zones."
  }

  validation {
    condition     = var.existing == null ? true : length(setintersection(var.existing.private_subnet_ids, var.existing.public_subnet_ids)) == 0
    error_message = "existing names a subnet both as private and as public."
  }
}
