# Secrets of the server, their key, and the log groups. modules/secret keeps the values out of the state.

locals {
  kms_key_arn = var.create_kms_key ? aws_kms_key.server[0].arn : var.kms_key_arn
  secrets = {
    admin       = "MLflow of ${var.name}: password of the user admin"
    session-key = "MLflow of ${var.name}: key that signs the forms of the UI"
  }
  log_configuration = {
    for part, group in aws_cloudwatch_log_group.server : part => {
      logDriver = "awslogs"
      options = {
        awslogs-group         = group.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "task"
      }
    }
  }
}

module "secret" {
  source   = "../secret"
  for_each = local.secrets

  name             = "${var.name}-${each.key}"
  description      = each.value
  kms_key_arn      = local.kms_key_arn
  password_version = var.password_version
}

resource "aws_kms_key" "server" {
  count = var.create_kms_key ? 1 : 0

  description             = "MLflow of ${var.name}: secrets, logs, images"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsOfThisServer"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = {
          ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/mlflowctl/${var.name}/*" }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "server" {
  count = var.create_kms_key ? 1 : 0

  name          = "alias/${var.name}-server"
  target_key_id = aws_kms_key.server[0].key_id
}

resource "aws_cloudwatch_log_group" "server" {
  for_each = toset(["server", "bootstrap", "probe"])

  name              = "/mlflowctl/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
}
