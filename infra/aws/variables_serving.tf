# Which models are served. modules/serving says what each value means; what is wrong, it refuses.

variable "serving" {
  description = "Models to serve, by a short name (fraud) that stands in the names of AWS. model: the registered model, if it is called otherwise. login_secret_arn: the MLflow login of a reader, {\"username\": …, \"password\": …}. deletion_protection (of its load balancer): as deletion_protection. modules/serving says the rest."
  type = map(object({
    login_secret_arn         = string
    login_secret_kms_key_arn = optional(string)
    model                    = optional(string)
    image                    = optional(string)
    domain_name              = optional(string)
    zone_id                  = optional(string)
    certificate_arn          = optional(string)
    allowed_cidr_blocks      = optional(list(string), [])
    danger_plain_http        = optional(bool, false)
    existing_load_balancer = optional(object({
      listener_arn      = string
      security_group_id = string
      priority          = optional(number, 200)
    }))
    request_timeout_seconds    = optional(number, 60)
    deletion_protection        = optional(bool)
    cpu                        = optional(number, 1024)
    memory                     = optional(number, 4096)
    ephemeral_storage          = optional(number, 30)
    min_tasks                  = optional(number, 2)
    max_tasks                  = optional(number, 4)
    challenger_min_tasks       = optional(number, 1)
    challenger_max_tasks       = optional(number, 2)
    target_requests_per_minute = optional(number, 3000)
    startup_grace_seconds      = optional(number, 600)
    drain_seconds              = optional(number, 60)
    errors_percent             = optional(number, 5)
    environment                = optional(map(string), {})
    wait_for_steady_state      = optional(bool, true)
  }))
  default = {}

  validation {
    condition     = length(var.serving) <= 10
    error_message = "serving names ${length(var.serving)} models; the parameter in which an environment tells where it is has room for 10. Put the others into an environment of their own."
  }

  validation {
    condition     = length(distinct([for name, one in var.serving : coalesce(one.model, name)])) == length(var.serving)
    error_message = "serving names a registered model twice; each is served once in an environment."
  }
}
