# Somebody is told when it is down: alarms, a dashboard, and copies in a vault where that is wanted.

module "observability" {
  source = "../../modules/observability"

  name                     = local.title
  server                   = module.tracking_server
  database                 = module.database
  alarm_email              = var.alarm_email
  sns_topic_arn            = var.sns_topic_arn
  thresholds               = var.alarm_thresholds
  log_retention_days       = local.size.log_retention_days
  dashboard                = var.dashboard
  create_kms_key           = local.create_kms_key
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path

  backup = !var.backup ? null : {
    resource_arns = concat(
      values(module.database.instance_arns),
      [module.artifact_store.artifact_bucket_arn, module.artifact_store.registry_bucket_arn],
    )
    keep_days = var.backup_keep_days
  }
}
