# What the instance needs around it: a key, log groups, a role for the operating system's metrics.

locals {
  create_key = var.create_kms_key && (local.create || length(local.secrets) > 0)
  kms_key_arn = (
    var.create_kms_key
    ? (local.create_key ? aws_kms_key.database[0].arn : null)
    : var.kms_key_arn
  )
  log_groups = {
    for pair in setproduct(keys(local.instances), ["postgresql", "upgrade"]) :
    "${pair[0]}-${pair[1]}" => "/aws/rds/instance/${local.instances[pair[0]].identifier}/${pair[1]}"
  }
}

resource "aws_kms_key" "database" {
  count = local.create_key ? 1 : 0

  description             = "PostgreSQL of ${var.name}: storage, snapshots, secrets, logs"
  enable_key_rotation     = true
  deletion_window_in_days = 30 # snapshots cannot be restored without it

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountDecidesByIam"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsOfThisDatabase"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.current.id}.amazonaws.com" }
        Action    = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:log-group:/aws/rds/instance/${var.name}*"
          }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "database" {
  count = local.create_key ? 1 : 0

  name          = "alias/${var.name}-database"
  target_key_id = aws_kms_key.database[0].key_id
}

resource "aws_cloudwatch_log_group" "database" {
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
}

resource "aws_iam_role" "monitoring" {
  count = local.create && var.monitoring_interval > 0 ? 1 : 0

  name_prefix          = "${substr(var.name, 0, 21)}-rds-monitoring-" # 38 characters at most
  description          = "Lets RDS write the operating system's metrics of ${var.name}"
  path                 = var.iam_path
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  count = local.create && var.monitoring_interval > 0 ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
