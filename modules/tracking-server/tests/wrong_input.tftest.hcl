# One run per validation: wrong input is refused by the plan, before anything is made.
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
    max_connections      = 300
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

run "name_with_capitals" {
  command = plan

  variables {
    name = "MLflow"
  }

  expect_failures = [var.name]
}

run "name_that_elb_reserves" {
  command = plan

  variables {
    name = "internal-mlflow"
  }

  expect_failures = [var.name]
}

run "image_without_tag" {
  command = plan

  variables {
    image = "registry.example.com/mlflowctl"
  }

  expect_failures = [var.image]
}

run "image_latest" {
  command = plan

  variables {
    image = "registry.example.com/mlflowctl:latest"
  }

  expect_failures = [var.image]
}

run "one_zone_only" {
  command = plan

  variables {
    private_subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.private_subnet_ids]
}

run "ssl_switched_off" {
  command = plan

  variables {
    database_ssl_mode = "disable"
  }

  expect_failures = [var.database_ssl_mode]
}

run "ssl_checked_against_nothing" {
  command = plan

  variables {
    database_ssl_mode = "verify-full"
  }

  expect_failures = [var.database_ssl_mode]
}

run "odd_cpu" {
  command = plan

  variables {
    cpu = 1000
  }

  expect_failures = [var.cpu]
}

run "memory_that_fargate_does_not_offer" {
  command = plan

  variables {
    memory = 1500
  }

  expect_failures = [var.memory]
}

run "memory_too_small_for_two_workers" {
  command = plan

  variables {
    cpu    = 512
    memory = 1024
  }

  expect_failures = [var.memory]
}

run "too_much_scratch" {
  command = plan

  variables {
    ephemeral_storage = 500
  }

  expect_failures = [var.ephemeral_storage]
}

run "odd_architecture" {
  command = plan

  variables {
    cpu_architecture = "arm"
  }

  expect_failures = [var.cpu_architecture]
}

run "no_tasks" {
  command = plan

  variables {
    min_tasks = 0
  }

  expect_failures = [var.min_tasks]
}

run "fewer_at_most_than_at_least" {
  command = plan

  variables {
    min_tasks = 3
    max_tasks = 2
  }

  expect_failures = [var.max_tasks]
}

run "more_tasks_than_connections" {
  command = plan

  variables {
    max_tasks = 20
  }

  expect_failures = [var.max_tasks]
}

run "odd_cpu_target" {
  command = plan

  variables {
    target_cpu_percent = 99
  }

  expect_failures = [var.target_cpu_percent]
}

run "odd_request_target" {
  command = plan

  variables {
    target_requests_per_minute = 1
  }

  expect_failures = [var.target_requests_per_minute]
}

run "no_time_to_start" {
  command = plan

  variables {
    startup_grace_seconds = 30
  }

  expect_failures = [var.startup_grace_seconds]
}

run "secret_in_the_environment" {
  command = plan

  variables {
    environment = { MY_PASSWORD = "x" }
  }

  expect_failures = [var.environment]
}

run "own_variable_overridden" {
  command = plan

  variables {
    environment = { MLFLOWCTL_AUTH = "false" }
  }

  expect_failures = [var.environment]
}

run "password_version_zero" {
  command = plan

  variables {
    password_version = 0
  }

  expect_failures = [var.password_version]
}

run "odd_log_retention" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
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

run "path_without_slash" {
  command = plan

  variables {
    iam_path = "mlflow"
  }

  expect_failures = [var.iam_path]
}

run "boundary_is_no_policy" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "on_the_internet_without_ranges" {
  command = plan

  variables {
    internal = false
  }

  expect_failures = [var.internal]
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

run "vpc_range_in_words" {
  command = plan

  variables {
    vpc_cidr_blocks = ["all"]
  }

  expect_failures = [var.vpc_cidr_blocks]
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

run "nobody_may_come" {
  command = plan

  variables {
    vpc_cidr_blocks = []
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "domain_with_scheme" {
  command = plan

  variables {
    domain_name = "https://mlflow.example.com"
  }

  expect_failures = [var.domain_name]
}

run "no_domain" {
  command = plan

  variables {
    domain_name = null
  }

  expect_failures = [var.domain_name]
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

run "zone_by_name" {
  command = plan

  variables {
    zone_id = "example.com"
  }

  expect_failures = [var.zone_id]
}

run "certificate_of_iam" {
  command = plan

  variables {
    certificate_arn = "arn:aws:iam::123456789012:server-certificate/x"
  }

  expect_failures = [var.certificate_arn]
}

run "domain_without_certificate_or_zone" {
  command = plan

  variables {
    certificate_arn = null
  }

  expect_failures = [var.certificate_arn]
}

run "certificate_for_plain_http" {
  command = plan

  variables {
    danger_plain_http = true
  }

  expect_failures = [var.certificate_arn]
}

run "old_tls" {
  command = plan

  variables {
    ssl_policy = "ELBSecurityPolicy-2016-08"
  }

  expect_failures = [var.ssl_policy]
}

run "old_tls_with_new_name" {
  command = plan

  variables {
    ssl_policy = "ELBSecurityPolicy-TLS13-1-0-2021-06"
  }

  expect_failures = [var.ssl_policy]
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

run "web_acl_of_cloudfront" {
  command = plan

  variables {
    web_acl_arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/x/y"
  }

  expect_failures = [var.web_acl_arn]
}
