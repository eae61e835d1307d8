# Documents for people and jobs. An administrator attaches them to roles (create_access_policies makes managed
# policies of them); modules/access/examples/deployer makes those of whoever applies this configuration.

module "access" {
  source = "../../modules/access"

  name                = local.title
  artifact_bucket_arn = module.artifact_store.artifact_bucket_arn
  registry_bucket_arn = module.artifact_store.registry_bucket_arn
  kms_key_arn         = module.artifact_store.kms_key_arn
  parameter           = aws_ssm_parameter.published.name
  direct_artifacts    = var.direct_artifacts
  traffic_rule_arns   = [for one in module.serving : one.rule_arn]
  create_policies     = var.create_access_policies
  iam_path            = var.iam_path
}
