# What `terraform apply` of infra/aws needs. Two ways to keep it to one environment: by name, where an ARN holds
# the name; by tag, where it does not (networks, load balancers, keys, certificates, backup plans). Terraform's
# default tags are on every resource, so nothing can be made without them, and nothing without them can be
# changed. Reading is free where AWS cannot narrow it.

locals {
  deployer_parts = var.deployer == null ? [] : ["network", "entry", "storage", "database", "compute", "watch", "identity"]

  # With values that are never used when there is no deployer.
  d = var.deployer == null ? {
    tags     = tomap({}), permissions_boundary_arn = "", state_bucket_arn = "", state_prefix = "", iam_path = "/",
    zone_ids = tolist([]), existing_listener_arns = tolist([]), web_acl_arns = tolist([]), kms_key_arns = tolist([]),
    vpc_ids  = tolist([]), security_group_ids = tolist([])
  } : var.deployer

  making   = { StringEquals = { for key, value in local.d.tags : "aws:RequestTag/${key}" => value } }
  ours     = { StringEquals = { for key, value in local.d.tags : "aws:ResourceTag/${key}" => value } }
  here     = "${local.region}:${local.account}"
  prefixed = { for service in ["ec2", "rds", "ecs", "ecr", "logs", "sns", "ssm", "events", "backup", "secretsmanager", "kms"] : service => "arn:${local.partition}:${service}:${local.here}" }
  elb      = "arn:${local.partition}:elasticloadbalancing:${local.here}"

  deployer = { for part in local.deployer_parts : part => local.deployer_statements[part] }
  deployer_statements = {
    network  = local.deployer_network
    entry    = local.deployer_entry
    storage  = local.deployer_storage
    database = local.deployer_database
    compute  = local.deployer_compute
    watch    = local.deployer_watch
    identity = local.deployer_identity
  }
}
