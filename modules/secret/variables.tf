variable "name" {
  description = "Beginning of the secret's name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,100}$", var.name))
    error_message = "name has lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "description" {
  description = "What the password is for."
  type        = string
}

variable "kms_key_arn" {
  description = "Key that encrypts it."
  type        = string
}

variable "password_version" {
  description = "Raise it by one for a new password."
  type        = number
  default     = 1

  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version is a whole number from 1 on."
  }
}
