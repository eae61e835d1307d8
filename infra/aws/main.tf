# One environment: network, buckets, database, server. access.tf and observability.tf hold the rest.

data "aws_caller_identity" "current" {}

# By name and in any state: a zone in trouble, or a new one, must not move the subnets of a running environment.
data "aws_availability_zones" "region" {
  count = var.existing_network == null && length(var.availability_zones) == 0 ? 1 : 0

  filter {
    name   = "zone-name"
    values = formatlist("${var.region}%s", ["a", "b", "c", "d", "e", "f"])
  }
}

locals {
  title = "${var.name}-${var.environment}"
  found = sort(flatten(data.aws_availability_zones.region[*].names))
  zones = length(var.availability_zones) > 0 ? var.availability_zones : slice(local.found, 0, min(local.size.zones, length(local.found)))
  # One key for all, or one made by each module.
  create_kms_key = var.kms_key_arn == null
}

module "network" {
  source = "../../modules/network"

  name                     = local.title
  cidr                     = var.cidr
  availability_zones       = var.existing_network == null ? local.zones : []
  nat                      = local.size.nat
  interface_endpoints      = var.interface_endpoints
  flow_logs_retention_days = local.size.flow_log_retention_days
  create_kms_key           = local.create_kms_key
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path
  existing                 = var.existing_network
}

module "artifact_store" {
  source = "../../modules/artifact-store"

  name                 = local.title
  create_kms_key       = local.create_kms_key && var.existing_buckets == null
  kms_key_arn          = var.kms_key_arn
  artifact_tiering     = var.artifact_tiering
  danger_force_destroy = var.danger_force_destroy
  existing             = var.existing_buckets
}

module "database" {
  source = "../../modules/database"

  name                       = local.title
  vpc_id                     = module.network.vpc_id
  subnet_ids                 = module.network.private_subnet_ids
  engine_version             = var.postgres_version
  allow_major_upgrade        = var.allow_major_upgrade
  instance_class             = local.size.instance_class
  multi_az                   = local.size.multi_az
  allocated_storage          = local.size.allocated_storage
  max_allocated_storage      = local.size.max_allocated_storage
  max_connections            = local.size.max_connections
  backup_retention_days      = local.size.backup_retention_days
  log_retention_days         = local.size.log_retention_days
  password_version           = var.password_version
  deletion_protection        = var.deletion_protection
  danger_allow_unprotected   = !var.deletion_protection # this configuration's own validation has decided
  danger_skip_final_snapshot = var.danger_skip_final_snapshot
  instances                  = var.database_instances
  serving                    = var.serving_database
  create_kms_key             = local.create_kms_key
  kms_key_arn                = var.kms_key_arn
  permissions_boundary_arn   = var.permissions_boundary_arn
  iam_path                   = var.iam_path
  existing                   = var.existing_database
}

module "tracking_server" {
  source = "../../modules/tracking-server"

  name                     = local.title
  image                    = var.image
  vpc_id                   = module.network.vpc_id
  vpc_cidr_blocks          = module.network.vpc_cidr_blocks
  private_subnet_ids       = module.network.private_subnet_ids
  public_subnet_ids        = module.network.public_subnet_ids
  internal                 = var.internal
  allowed_cidr_blocks      = var.allowed_cidr_blocks
  danger_open_to_everybody = var.danger_open_to_everybody
  danger_plain_http        = var.danger_plain_http
  domain_name              = var.domain_name
  zone_id                  = var.zone_id
  certificate_arn          = var.certificate_arn
  existing_load_balancer   = var.existing_load_balancer
  web_acl_arn              = var.web_acl_arn
  database                 = module.database
  database_ssl_mode        = var.database_ssl_mode
  database_ca_file         = var.database_ca_file
  buckets                  = module.artifact_store
  cpu                      = local.size.cpu
  memory                   = local.size.memory
  cpu_architecture         = var.cpu_architecture
  min_tasks                = local.size.min_tasks
  max_tasks                = local.size.max_tasks
  environment              = var.server_environment
  password_version         = var.password_version
  log_retention_days       = local.size.log_retention_days
  wait_for_steady_state    = var.wait_for_steady_state
  create_ecr_repository    = var.create_ecr_repository
  create_kms_key           = local.create_kms_key
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = var.permissions_boundary_arn
  iam_path                 = var.iam_path
}
