# AWS Backup, on demand: copies in a vault of their own, which a mistake in this configuration cannot reach.

locals {
  backup = var.backup == null ? toset([]) : toset(["on"])
}

resource "aws_backup_vault" "backup" {
  for_each = local.backup

  name        = var.name
  kms_key_arn = local.kms_key_arn
}

resource "aws_backup_plan" "backup" {
  for_each = local.backup

  name = var.name

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.backup["on"].name
    schedule          = var.backup.schedule
    start_window      = 60
    completion_window = 720

    lifecycle {
      delete_after = var.backup.keep_days
    }
  }
}

resource "aws_backup_selection" "backup" {
  for_each = local.backup

  name         = var.name
  plan_id      = aws_backup_plan.backup["on"].id
  iam_role_arn = aws_iam_role.backup["on"].arn
  resources    = var.backup.resource_arns
}

resource "aws_iam_role" "backup" {
  for_each = local.backup

  name_prefix          = "${var.name}-bkp-"
  description          = "AWS Backup of ${var.name}"
  path                 = var.iam_path
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = local.from_here
    }]
  })
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each = var.backup == null ? toset([]) : toset(["service-role/AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForS3Backup"])

  role       = aws_iam_role.backup["on"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.value}"
}
