# How clients come in, and who is told when something is wrong.

variable "domain_name" {
  description = "The name that clients use, for example mlflow.example.com."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name != null || var.danger_plain_http
    error_message = "domain_name is needed: HTTPS wants a name that a certificate can stand for. (Without one: danger_plain_http=true, inside the VPC only.)"
  }

  validation {
    condition     = var.domain_name == null || var.danger_plain_http || var.zone_id != null || var.certificate_arn != null || var.existing_load_balancer != null
    error_message = "domain_name ${coalesce(var.domain_name, "?")} needs a certificate: name zone_id (one is made and validated in it) or certificate_arn."
  }
}

variable "zone_id" {
  description = "Route 53 zone of domain_name."
  type        = string
  default     = null
}

variable "certificate_arn" {
  description = "A certificate of ACM for domain_name. Default: one is made in zone_id."
  type        = string
  default     = null
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
  default     = true
}

variable "allowed_cidr_blocks" {
  description = "Who may reach the load balancer. Default: the VPC; needed with internal = false."
  type        = list(string)
  default     = []
}

variable "danger_open_to_everybody" {
  description = "DANGER: allows ranges wider than /8 in allowed_cidr_blocks."
  type        = bool
  default     = false
}

variable "danger_plain_http" {
  description = "DANGER: no TLS between clients and load balancer. Inside the VPC only."
  type        = bool
  default     = false
}

variable "existing_load_balancer" {
  description = "An application load balancer that is there already."
  type = object({
    listener_arn      = string
    security_group_id = string
    priority          = optional(number, 100)
  })
  default = null
}

variable "web_acl_arn" {
  description = "Web ACL (AWS WAF) to put before the load balancer."
  type        = string
  default     = null
}

variable "create_ecr_repository" {
  description = "Whether to make an ECR repository; push the image before the service can start."
  type        = bool
  default     = false
}

variable "cpu_architecture" {
  description = "Architecture of the image: X86_64 or ARM64."
  type        = string
  default     = "X86_64"
}

variable "server_environment" {
  description = "Further environment variables of the server; no secrets."
  type        = map(string)
  default     = {}
}

variable "database_ssl_mode" {
  description = "libpq's sslmode; verify-full needs database_ca_file."
  type        = string
  default     = "require"
}

variable "database_ca_file" {
  description = "Path inside the image of the certificate authorities of RDS."
  type        = string
  default     = null
}

variable "wait_for_steady_state" {
  description = "Whether apply waits until the new tasks serve."
  type        = bool
  default     = true
}
