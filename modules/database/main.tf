# RDS for PostgreSQL. Only network and engine stand here; the roles, the database in it, the schema and the
# guard belong to `mlflowctl bootstrap`, which the server's task runs.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  create    = var.existing == null
  instances = local.create ? { for key, one in var.instances : key => merge(one, { identifier = key == "main" ? var.name : "${var.name}-${key}" }) } : {}
  major     = tonumber(split(".", var.engine_version)[0])

  # Parameters as the local stack has them (scripts/mlflowctl/stack/postgres.py), where RDS allows it and its
  # default is another one; README.md lists what is left out and why.
  parameters = {
    "rds.force_ssl"              = { value = "1", apply_method = "immediate" }
    "password_encryption"        = { value = "scram-sha-256", apply_method = "immediate" }
    "max_connections"            = { value = tostring(var.max_connections), apply_method = "pending-reboot" }
    "log_statement"              = { value = "none", apply_method = "immediate" }
    "log_min_duration_statement" = { value = "2000", apply_method = "immediate" }
    "timezone"                   = { value = "UTC", apply_method = "immediate" }
  }
}

# What runs now, so that a downgrade is refused by the plan and not by RDS in the middle of an apply.
data "aws_db_instances" "current" {
  count = local.create ? 1 : 0

  filter {
    name   = "db-instance-id"
    values = [for one in values(local.instances) : one.identifier]
  }
}

data "aws_db_instance" "current" {
  for_each               = local.create ? toset(data.aws_db_instances.current[0].instance_identifiers) : toset([])
  db_instance_identifier = each.value
}

resource "aws_security_group" "database" {
  count = local.create ? 1 : 0

  name_prefix = "${var.name}-database-"
  description = "PostgreSQL of ${var.name}: tracking-server adds the one rule that lets its server in"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_subnet_group" "database" {
  count = local.create ? 1 : 0

  name        = var.name
  description = "Private subnets for PostgreSQL of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "database" {
  count = local.create ? 1 : 0

  name_prefix = "${var.name}-${local.major}-"
  description = "As the local stack of mlflowctl, where RDS allows it"
  family      = "postgres${local.major}"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.apply_method
    }
  }

  lifecycle {
    create_before_destroy = true # a new major version needs a new family before the old one can go
  }
}

# A name that is still free when the instance is deleted, also if one of the same name was deleted before.
# What forces a new instance forces a new name too.
resource "terraform_data" "final_snapshot" {
  for_each = local.instances

  input            = formatdate("YYYYMMDDhhmmss", plantimestamp())
  triggers_replace = [each.value.identifier, local.kms_key_arn]

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_db_instance" "database" {
  for_each = local.instances

  identifier     = each.value.identifier
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class
  multi_az       = var.multi_az
  port           = 5432

  # No db_name: bootstrap creates the database, so that it belongs to the role mlflow.
  username                            = "mlflowctl_admin"
  password_wo                         = ephemeral.aws_secretsmanager_secret_version.admin[0].secret_string
  password_wo_version                 = var.password_version
  iam_database_authentication_enabled = true

  storage_type          = "gp3"
  allocated_storage     = var.allocated_storage
  max_allocated_storage = var.max_allocated_storage
  storage_encrypted     = true
  kms_key_id            = local.kms_key_arn

  db_subnet_group_name   = aws_db_subnet_group.database[0].name
  vpc_security_group_ids = [aws_security_group.database[0].id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.database[0].name

  backup_retention_period   = var.backup_retention_days
  backup_window             = var.backup_window
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = var.danger_skip_final_snapshot
  final_snapshot_identifier = "${each.value.identifier}-final-${terraform_data.final_snapshot[each.key].output}"

  maintenance_window          = var.maintenance_window
  apply_immediately           = var.apply_immediately
  auto_minor_version_upgrade  = length(split(".", var.engine_version)) == 1 # an exact version would drift
  allow_major_version_upgrade = var.allow_major_upgrade
  engine_lifecycle_support    = "open-source-rds-extended-support-disabled" # it costs more than an upgrade

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = local.kms_key_arn
  performance_insights_retention_period = 7
  monitoring_interval                   = var.monitoring_interval
  monitoring_role_arn                   = var.monitoring_interval > 0 ? aws_iam_role.monitoring[0].arn : null
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  dynamic "restore_to_point_in_time" {
    for_each = each.value.restore_from == null ? [] : [each.value]

    content {
      source_db_instance_identifier = restore_to_point_in_time.value.restore_from == "main" ? var.name : "${var.name}-${restore_to_point_in_time.value.restore_from}"
      restore_time                  = restore_to_point_in_time.value.restore_time
    }
  }

  lifecycle {
    # Only how it was born: the source may be removed later.
    ignore_changes = [restore_to_point_in_time]

    precondition {
      condition = alltrue([
        for current in values(data.aws_db_instance.current) : local.major >= tonumber(split(".", current.engine_version)[0])
      ])
      error_message = "The database runs PostgreSQL ${join(", ", [for current in values(data.aws_db_instance.current) : current.engine_version])}; engine_version ${var.engine_version} would be a downgrade, which RDS cannot do. Nothing was changed. Set engine_version to what runs, or restore a dump into a new database."
    }

    precondition {
      condition = var.allow_major_upgrade || alltrue([
        for current in values(data.aws_db_instance.current) : local.major <= tonumber(split(".", current.engine_version)[0])
      ])
      error_message = "engine_version ${var.engine_version} raises the major version of a running database. Nothing was changed. Take a snapshot, then set allow_major_upgrade=true for this one apply."
    }
  }

  # Otherwise RDS makes the log groups itself, unencrypted and kept for ever.
  depends_on = [aws_cloudwatch_log_group.database, aws_iam_role_policy_attachment.monitoring]
}
