# A random password in Secrets Manager. It is made by Secrets Manager itself and handed on through write-only
# arguments, so it stands neither in the state nor in a plan.

resource "aws_secretsmanager_secret" "secret" {
  # checkov:skip=CKV2_AWS_57: a rotation that the server does not follow is an outage; password_version changes secret and server in one apply

  # A prefix: a deleted secret keeps its name for a week, and a new environment could not be made meanwhile.
  name_prefix             = "${var.name}-"
  description             = var.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 7
}

ephemeral "aws_secretsmanager_random_password" "secret" {
  password_length            = 40
  exclude_punctuation        = true # 62^40 is enough, and nothing needs quoting
  require_each_included_type = true
  # Excludes nothing, but is unknown until the secret exists: so a first plan asks AWS for nothing, and
  # `terraform test`, whose mock provider knows no ephemeral resources, can plan with the real one.
  exclude_characters = substr(aws_secretsmanager_secret.secret.arn, 0, 0)
}

resource "aws_secretsmanager_secret_version" "secret" {
  secret_id                = aws_secretsmanager_secret.secret.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.secret.random_password
  secret_string_wo_version = var.password_version
}
