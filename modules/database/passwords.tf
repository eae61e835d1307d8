# One secret for each of the two roles; modules/secret keeps them out of the state. Both get a new password
# when password_version rises. RDS learns the admin's here, bootstrap sets that of the role mlflow.

locals {
  secrets = {
    for key, purpose in {
      admin = "RDS master user mlflowctl_admin"
      app   = "role mlflow, which the server uses"
    } : key => "PostgreSQL of ${var.name}: ${purpose}" if local.create || (key == "app" && try(var.existing.app_secret_arn, null) == null)
  }
}

module "secret" {
  source   = "../secret"
  for_each = local.secrets

  name             = "${var.name}-database-${each.key}"
  description      = each.value
  kms_key_arn      = local.kms_key_arn
  password_version = var.password_version
}

# Read back after it was stored: every plan makes another random password, but only one was stored.
ephemeral "aws_secretsmanager_secret_version" "admin" {
  count = local.create ? 1 : 0

  secret_id = module.secret["admin"].arn
}
