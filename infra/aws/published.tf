# What any machine with credentials needs to work with this environment: names and addresses, no secret. It stands
# in a parameter of its own, so `mlflowctl --context <environment> …` needs neither this folder nor Terraform.
# scripts/mlflowctl/cloud/published.py reads it.

resource "aws_ssm_parameter" "published" {
  name        = "/mlflowctl/${var.environment}"
  description = "Where mlflowctl finds ${local.title}"
  type        = "SecureString"
  key_id      = module.artifact_store.kms_key_arn
  tier        = "Intelligent-Tiering" # beyond 4 KiB, which about five served models fill, AWS keeps it in the larger kind

  value = jsonencode({
    schema          = "mlflowctl.environment/1"
    environment     = var.environment
    title           = local.title
    region          = var.region
    account         = data.aws_caller_identity.current.account_id
    tracking_uri    = module.tracking_server.url
    artifact_bucket = module.artifact_store.artifact_bucket
    registry_bucket = module.artifact_store.registry_bucket
    admin_secret    = module.tracking_server.admin_secret_arn
    cluster         = module.tracking_server.cluster_name
    service         = module.tracking_server.service_name
    command_task    = module.tracking_server.command_task_definition_arn
    command_logs    = module.tracking_server.log_group_names["bootstrap"]
    subnets         = module.tracking_server.private_subnet_ids
    security_group  = module.tracking_server.security_group_id
    target_group    = module.tracking_server.target_group_arn
    database        = try(coalesce(module.database.instance_identifier), "")
    serving = { for one in module.serving : one.model => {
      url      = one.url
      rule     = one.rule_arn
      groups   = one.target_group_arns
      cluster  = one.cluster_name
      services = one.service_names
    } }
  })
}
