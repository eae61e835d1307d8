# Wrong input is refused by the plan, before anything is made. A run breaks as many rules as do not look at one
# another, each of another variable: to start a run takes longer than to find out.
# Plans with the real provider, offline: `mock_provider` knows no ephemeral resources (Terraform 1.11). What
# would ask AWS is overridden; what only AWS knows stays unknown in these plans and is tried on the emulator.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = data.aws_lb_listener.existing
  values = {
    protocol          = "HTTP"
    load_balancer_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shared/0123456789abcdef"
  }
}

override_data {
  target = data.aws_lb.existing
  values = {
    dns_name   = "shared-1.eu-central-1.elb.amazonaws.com"
    zone_id    = "Z215JYRZR1TBD5"
    arn_suffix = "app/shared/0123456789abcdef"
    internal   = false
  }
}

override_resource {
  target          = aws_kms_key.server
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
}

override_resource {
  target          = aws_security_group.server
  override_during = plan
  values          = { id = "sg-00000000000000001" }
}

override_resource {
  target          = aws_security_group.load_balancer
  override_during = plan
  values          = { id = "sg-00000000000000002" }
}

override_resource {
  target          = aws_lb.server
  override_during = plan
  values = {
    arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mlflow-test/0123456789abcdef"
    arn_suffix = "app/mlflow-test/0123456789abcdef"
    dns_name   = "internal-mlflow-test-1.eu-central-1.elb.amazonaws.com"
    zone_id    = "Z215JYRZR1TBD5"
  }
}

override_module {
  target  = module.secret["admin"]
  outputs = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-test-admin-a1b2c3" }
}

override_module {
  target  = module.secret["session-key"]
  outputs = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-test-session-key-a1b2c3" }
}

override_resource {
  target          = aws_cloudwatch_log_group.server
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/mlflowctl/mlflow-test/part" }
}

variables {
  name               = "mlflow-test"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflowctl:1.0.0"
  vpc_id             = "vpc-0123456789abcdef0"
  private_subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  public_subnet_ids  = ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"]
  vpc_cidr_blocks    = ["10.20.0.0/16"]
  domain_name        = "mlflow.example.com"
  certificate_arn    = "arn:aws:acm:eu-central-1:123456789012:certificate/0"

  database = {
    host                 = "mlflow-test.abc.eu-central-1.rds.amazonaws.com"
    port                 = 5432
    name                 = "mlflow"
    security_group_id    = "sg-0123456789abcdef0"
    admin_secret_arn     = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3:password::"
    app_secret_arn       = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-d4e5f6"
    secrets_kms_key_arns = ["arn:aws:kms:eu-central-1:123456789012:key/2"]
    password_version     = 7
    max_connections      = 400
  }

  buckets = {
    artifact_bucket     = "mlflow-test-artifacts"
    registry_bucket     = "mlflow-test-registry"
    artifact_bucket_arn = "arn:aws:s3:::mlflow-test-artifacts"
    registry_bucket_arn = "arn:aws:s3:::mlflow-test-registry"
    kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/3"
  }
}

run "right_input_passes" {
  command = plan
}

run "wrong_together_one" {
  command = plan

  variables {
    name                       = "MLflow"                                                 # name with capitals
    image                      = "registry.example.com/mlflowctl"                         # image without tag
    private_subnet_ids         = ["subnet-0123456789abcdef0"]                             # one zone only
    database_ssl_mode          = "disable"                                                # ssl switched off
    cpu                        = 1000                                                     # odd cpu
    ephemeral_storage          = 500                                                      # too much scratch
    cpu_architecture           = "arm"                                                    # odd architecture
    min_tasks                  = 0                                                        # no tasks
    target_cpu_percent         = 99                                                       # odd cpu target
    target_requests_per_minute = 1                                                        # odd request target
    startup_grace_seconds      = 30                                                       # no time to start
    environment                = { MY_PASSWORD = "x" }                                    # secret in the environment
    password_version           = 0                                                        # password version zero
    log_retention_days         = 100                                                      # odd log retention
    iam_path                   = "mlflow"                                                 # path without slash
    permissions_boundary_arn   = "boundary"                                               # boundary is no policy
    internal                   = false                                                    # on the internet without ranges
    zone_id                    = "example.com"                                            # zone by name
    ssl_policy                 = "ELBSecurityPolicy-2016-08"                              # old tls
    web_acl_arn                = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/x/y" # web acl of cloudfront
  }

  expect_failures = [
    var.name,
    var.image,
    var.private_subnet_ids,
    var.database_ssl_mode,
    var.cpu,
    var.ephemeral_storage,
    var.cpu_architecture,
    var.min_tasks,
    var.target_cpu_percent,
    var.target_requests_per_minute,
    var.startup_grace_seconds,
    var.environment,
    var.password_version,
    var.log_retention_days,
    var.iam_path,
    var.permissions_boundary_arn,
    var.internal,
    var.zone_id,
    var.ssl_policy,
    var.web_acl_arn,
  ]
}

run "wrong_together_two" {
  command = plan

  variables {
    name              = "internal-mlflow"                       # name that elb reserves
    image             = "registry.example.com/mlflowctl:latest" # image latest
    database_ssl_mode = "verify-full"                           # ssl checked against nothing
    memory            = 1500                                    # memory that fargate does not offer
    max_tasks         = 20                                      # more tasks than connections
    environment       = { MLFLOWCTL_AUTH = "false" }            # own variable overridden
    vpc_cidr_blocks   = ["all"]                                 # vpc range in words
    ssl_policy        = "ELBSecurityPolicy-TLS13-1-0-2021-06"   # old tls with new name
  }

  expect_failures = [
    var.name,
    var.image,
    var.database_ssl_mode,
    var.memory,
    var.max_tasks,
    var.environment,
    var.vpc_cidr_blocks,
    var.ssl_policy,
  ]
}

run "range_with_host_bits" {
  command = plan

  variables {
    allowed_cidr_blocks = ["203.0.113.7/24"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "range_of_ipv6" {
  command = plan

  variables {
    allowed_cidr_blocks = ["2001:db8::/32"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "wrong_together_three" {
  command = plan

  variables {
    domain_name     = "https://mlflow.example.com"                     # domain with scheme
    certificate_arn = "arn:aws:iam::123456789012:server-certificate/x" # certificate of iam
  }

  expect_failures = [
    var.domain_name,
    var.certificate_arn,
  ]
}

run "wrong_together_four" {
  command = plan

  variables {
    domain_name     = null # no domain
    certificate_arn = null # domain without certificate or zone
  }

  expect_failures = [
    var.domain_name,
    var.certificate_arn,
  ]
}

run "memory_too_small_for_two_workers" {
  command = plan

  variables {
    cpu    = 512
    memory = 1024
  }

  expect_failures = [var.memory]
}

run "fewer_at_most_than_at_least" {
  command = plan

  variables {
    min_tasks = 3
    max_tasks = 2
  }

  expect_failures = [var.max_tasks]
}

run "key_without_saying_so" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  expect_failures = [var.create_kms_key]
}

run "alias_instead_of_key" {
  command = plan

  variables {
    create_kms_key = false
    kms_key_arn    = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "on_the_internet_without_public_subnets" {
  command = plan

  variables {
    internal            = false
    allowed_cidr_blocks = ["203.0.113.0/24"]
    public_subnet_ids   = []
  }

  expect_failures = [var.internal]
}

run "open_to_everybody" {
  command = plan

  variables {
    internal            = false
    allowed_cidr_blocks = ["0.0.0.0/0"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "open_to_everybody_in_two_halves" {
  command = plan

  variables {
    internal            = false
    allowed_cidr_blocks = ["0.0.0.0/1", "128.0.0.0/1"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "nobody_may_come" {
  command = plan

  variables {
    vpc_cidr_blocks = []
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "zone_without_domain" {
  command = plan

  variables {
    domain_name       = null
    certificate_arn   = null
    zone_id           = "Z0123456789ABCDEFGHIJ"
    danger_plain_http = true
  }

  expect_failures = [var.domain_name]
}

run "existing_load_balancer_without_domain" {
  command = plan

  variables {
    domain_name       = null
    certificate_arn   = null
    danger_plain_http = true
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
      priority          = 100
    }
  }

  expect_failures = [var.domain_name]
}

run "certificate_for_plain_http" {
  command = plan

  variables {
    danger_plain_http = true
  }

  expect_failures = [var.certificate_arn]
}

run "plain_http_on_the_internet" {
  command = plan

  variables {
    danger_plain_http   = true
    certificate_arn     = null
    internal            = false
    allowed_cidr_blocks = ["10.20.1.0/24"]
  }

  expect_failures = [var.danger_plain_http]
}

run "plain_http_from_outside_the_vpc" {
  command = plan

  variables {
    danger_plain_http   = true
    certificate_arn     = null
    allowed_cidr_blocks = ["10.21.0.0/16"]
  }

  expect_failures = [var.danger_plain_http]
}

run "plain_http_from_more_than_the_vpc" {
  command = plan

  variables {
    danger_plain_http   = true
    certificate_arn     = null
    allowed_cidr_blocks = ["10.16.0.0/12"]
  }

  expect_failures = [var.danger_plain_http]
}

run "listener_of_a_network_load_balancer" {
  command = plan

  variables {
    certificate_arn = null
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/net/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
      priority          = 100
    }
  }

  expect_failures = [var.existing_load_balancer]
}

run "odd_priority" {
  command = plan

  variables {
    certificate_arn = null
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
      priority          = 0
    }
  }

  expect_failures = [var.existing_load_balancer]
}

run "existing_listener_without_tls" {
  command = plan

  variables {
    certificate_arn = null
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
      priority          = 100
    }
  }

  expect_failures = [aws_lb_listener_rule.server]
}

run "plain_http_behind_a_public_load_balancer" {
  command = plan

  variables {
    certificate_arn   = null
    danger_plain_http = true
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
      priority          = 100
    }
  }

  expect_failures = [aws_lb_listener_rule.server]
}
