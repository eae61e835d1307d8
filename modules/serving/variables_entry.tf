# How clients come in. Model servers ask for no login, so their own load balancer is always internal.
# A validation may look at variables further up its chain only, or Terraform sees a cycle:
# certificate_arn, domain_name → danger_plain_http → allowed_cidr_blocks → existing_load_balancer.

variable "vpc_cidr_blocks" {
  description = "Address ranges of the VPC: whom the load balancer answers if allowed_cidr_blocks is empty."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.vpc_cidr_blocks : can(cidrnetmask(cidr))])
    error_message = "vpc_cidr_blocks has IPv4 ranges such as 10.0.0.0/16."
  }
}

variable "allowed_cidr_blocks" {
  description = "IPv4 ranges that may reach the load balancer. Empty: vpc_cidr_blocks."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.allowed_cidr_blocks : try(cidrhost(cidr, 0) == split("/", cidr)[0] && can(cidrnetmask(cidr)), false)])
    error_message = "allowed_cidr_blocks has IPv4 ranges whose host bits are zero, such as 10.30.0.0/16."
  }

  validation {
    condition     = alltrue([for cidr in var.allowed_cidr_blocks : try(tonumber(split("/", cidr)[1]) >= 8, true)])
    error_message = "allowed_cidr_blocks holds a range wider than /8, such as 0.0.0.0/0: model servers ask for no login."
  }

  validation {
    condition     = var.existing_load_balancer != null || length(var.allowed_cidr_blocks) + length(var.vpc_cidr_blocks) > 0
    error_message = "Nobody could reach the load balancer: name allowed_cidr_blocks, or vpc_cidr_blocks."
  }
}

variable "domain_name" {
  description = "The name that clients use, for example fraud.example.com."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain_name))
    error_message = "domain_name is a lower-case name with a dot in it, such as fraud.example.com."
  }

  validation {
    condition     = var.domain_name != null || var.danger_plain_http
    error_message = "domain_name is needed: HTTPS wants a name that a certificate can stand for. (Without one: danger_plain_http=true, inside the VPC only.)"
  }

  validation {
    condition     = var.domain_name != null || var.zone_id == null
    error_message = "zone_id needs domain_name: the name of the record in it."
  }

  validation {
    condition     = var.domain_name != null || var.existing_load_balancer == null
    error_message = "existing_load_balancer needs domain_name: its rules send the requests for that name here."
  }
}

variable "zone_id" {
  description = "Route 53 zone of domain_name; the record that points to the load balancer is made in it, and without certificate_arn a certificate (then it must be a public zone)."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null ? true : can(regex("^Z[A-Z0-9]+$", var.zone_id))
    error_message = "zone_id is the ID of a hosted zone (Z…), not its name."
  }
}

variable "certificate_arn" {
  description = "A certificate of ACM in this region that covers domain_name. Default: one is made and validated in zone_id."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn is the ARN of a certificate of ACM."
  }

  validation {
    condition     = var.certificate_arn != null || var.zone_id != null || var.danger_plain_http || var.existing_load_balancer != null
    error_message = "domain_name needs a certificate: name certificate_arn, or zone_id to have one made."
  }

  validation {
    condition     = var.certificate_arn == null || !var.danger_plain_http
    error_message = "danger_plain_http and certificate_arn contradict each other."
  }
}

variable "ssl_policy" {
  description = "TLS policy of the load balancer; TLS 1.2 or newer only."
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  validation {
    condition     = can(regex("^ELBSecurityPolicy-TLS13-1-[23]-", var.ssl_policy))
    error_message = "ssl_policy is one of those that begin with ELBSecurityPolicy-TLS13-1-2- or ELBSecurityPolicy-TLS13-1-3-; older ones accept TLS 1.0 or 1.1."
  }
}

variable "danger_plain_http" {
  description = "DANGER: no TLS; what is asked and answered passes readable. Inside the VPC only."
  type        = bool
  default     = false

  validation {
    # A range lies in another one if its address, cut to the other's length, is the other's address.
    condition = !var.danger_plain_http || alltrue([
      for cidr in var.allowed_cidr_blocks : anytrue([
        for vpc in var.vpc_cidr_blocks :
        try(tonumber(split("/", cidr)[1]) >= tonumber(split("/", vpc)[1]) && cidrhost("${split("/", cidr)[0]}/${split("/", vpc)[1]}", 0) == cidrhost(vpc, 0), false)
      ])
    ])
    error_message = "With danger_plain_http every range of allowed_cidr_blocks must lie inside vpc_cidr_blocks."
  }
}

variable "existing_load_balancer" {
  description = "An application load balancer that exists already: the HTTPS listener to add rules to, the load balancer's security group, and the first of three priorities that are free. Who may reach it is not decided here."
  type = object({
    listener_arn      = string
    security_group_id = string
    priority          = optional(number, 200)
  })
  default = null

  validation {
    condition     = var.existing_load_balancer == null ? true : can(regex("^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/app/.+$", var.existing_load_balancer.listener_arn))
    error_message = "existing_load_balancer.listener_arn is the ARN of a listener of an application load balancer (…:listener/app/…)."
  }

  validation {
    condition     = var.existing_load_balancer == null ? true : var.existing_load_balancer.priority >= 1 && var.existing_load_balancer.priority <= 49998
    error_message = "existing_load_balancer.priority is between 1 and 49998: three rules begin there."
  }
}

variable "access_logs_bucket" {
  description = "Bucket for the access logs of the load balancer; its policy must let Elastic Load Balancing write."
  type        = string
  default     = null
}

variable "request_timeout_seconds" {
  description = "How long the load balancer waits for an answer; then clients see 504."
  type        = number
  default     = 60

  validation {
    condition     = var.request_timeout_seconds >= 5 && var.request_timeout_seconds <= 170
    error_message = "request_timeout_seconds is between 5 and 170: the model servers keep an idle connection for 180 s, and the load balancer must be the first to close it."
  }
}

variable "load_balancer_deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer: without it, a mistake takes the address that every client uses."
  type        = bool
  default     = true
}
