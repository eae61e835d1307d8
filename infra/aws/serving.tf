# Registered models as HTTP services, one entry of `serving` each: champion and challenger beside each other, their
# shares decided by mlflowctl (modules/serving).

module "serving" {
  source   = "../../modules/serving"
  for_each = var.serving

  name                              = local.title
  short_name                        = each.key
  model                             = coalesce(each.value.model, each.key)
  image                             = coalesce(each.value.image, var.image)
  vpc_id                            = module.network.vpc_id
  vpc_cidr_blocks                   = module.network.vpc_cidr_blocks
  private_subnet_ids                = module.network.private_subnet_ids
  tracking_server                   = module.tracking_server
  buckets                           = module.artifact_store
  login_secret_arn                  = each.value.login_secret_arn
  login_secret_kms_key_arn          = each.value.login_secret_kms_key_arn
  domain_name                       = each.value.domain_name
  zone_id                           = each.value.zone_id
  certificate_arn                   = each.value.certificate_arn
  allowed_cidr_blocks               = each.value.allowed_cidr_blocks
  danger_plain_http                 = each.value.danger_plain_http
  existing_load_balancer            = each.value.existing_load_balancer
  request_timeout_seconds           = each.value.request_timeout_seconds
  load_balancer_deletion_protection = coalesce(each.value.deletion_protection, var.deletion_protection)
  cpu                               = each.value.cpu
  memory                            = each.value.memory
  ephemeral_storage                 = each.value.ephemeral_storage
  cpu_architecture                  = var.cpu_architecture
  min_tasks                         = each.value.min_tasks
  max_tasks                         = each.value.max_tasks
  challenger_min_tasks              = each.value.challenger_min_tasks
  challenger_max_tasks              = each.value.challenger_max_tasks
  target_requests_per_minute        = each.value.target_requests_per_minute
  startup_grace_seconds             = each.value.startup_grace_seconds
  drain_seconds                     = each.value.drain_seconds
  environment                       = each.value.environment
  wait_for_steady_state             = each.value.wait_for_steady_state
  sns_topic_arn                     = module.observability.sns_topic_arn
  errors_percent                    = each.value.errors_percent
  log_retention_days                = local.size.log_retention_days
  permissions_boundary_arn          = var.permissions_boundary_arn
  iam_path                          = var.iam_path
}
