# What is wrong is refused by the plan, before anything is made. Rules that do not look at each other are broken
# together: a plan tells all of them at once.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
  mock_data "aws_lb_listener" {
    defaults = {
      protocol          = "HTTP"
      load_balancer_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shared/0123456789abcdef"
    }
  }
  mock_data "aws_lb" {
    defaults = {
      dns_name   = "shared-1.eu-central-1.elb.amazonaws.com"
      zone_id    = "Z215JYRZR1TBD5"
      arn_suffix = "app/shared/0123456789abcdef"
      internal   = false
    }
  }
  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mlflow-test-fraud/0123456789abcdef"
      arn_suffix = "app/mlflow-test-fraud/0123456789abcdef"
      dns_name   = "internal-mlflow-test-fraud-1.eu-central-1.elb.amazonaws.com"
      zone_id    = "Z215JYRZR1TBD5"
    }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/mlflow-test-fraud/0123456789abcdef/1" }
  }
  mock_resource "aws_lb_listener_rule" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/mlflow-test-fraud/0123456789abcdef/1/2" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/fra-a-1/0123456789abcdef", arn_suffix = "targetgroup/fra-a-1/0123456789abcdef" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = { arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1" }
  }
  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/mlflowctl/mlflow-test/models/fraud/part" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mlflow-test-fraud" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mlflow-test-fraud-champion:1" }
  }
}

variables {
  name               = "mlflow-test"
  model              = "fraud detection"
  short_name         = "fraud"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflowctl:1.0.0"
  vpc_id             = "vpc-0123456789abcdef0"
  private_subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  vpc_cidr_blocks    = ["10.20.0.0/16"]
  domain_name        = "fraud.example.com"
  certificate_arn    = "arn:aws:acm:eu-central-1:123456789012:certificate/0"
  login_secret_arn   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-reader-a1b2c3"

  tracking_server = {
    url                             = "https://mlflow.example.com"
    cluster_name                    = "mlflow-test"
    cluster_arn                     = "arn:aws:ecs:eu-central-1:123456789012:cluster/mlflow-test"
    load_balancer_security_group_id = "sg-0123456789abcdef7"
    kms_key_arn                     = "arn:aws:kms:eu-central-1:123456789012:key/1"
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
    # name with capitals
    name = "MLflow"
    # model with a slash
    model = "team/fraud"
    # image without tag
    image = "registry.example.com/mlflowctl"
    # one zone only
    private_subnet_ids = ["subnet-0123456789abcdef0"]
    # login by name
    login_secret_arn = "mlflow-reader"
    # login key by alias
    login_secret_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/ours"
    # secret in the environment
    environment = { PIP_INDEX_PASSWORD = "x" }
    # odd retention
    log_retention_days = 100
    # topic by name
    sns_topic_arn = "alarms"
    # no error allowed
    errors_percent = 0
    # path without slash
    iam_path = "mlflow"
    # boundary by name
    permissions_boundary_arn = "boundary"
    # memory that Fargate does not offer
    memory = 1024
    # little scratch space
    ephemeral_storage = 20
    # unknown architecture
    cpu_architecture = "RISCV"
    # fewer tasks under load
    max_tasks = 1
    # fewer tasks of the challenger under load
    challenger_max_tasks = 0
    # CPU target of everything
    target_cpu_percent = 100
    # hardly any requests
    target_requests_per_minute = 1
    # no grace
    startup_grace_seconds = 30
    # requests cut off
    drain_seconds = 0
    # longer than the servers keep a connection
    request_timeout_seconds = 300
    # zone by name
    zone_id = "example.com"
    # old TLS
    ssl_policy = "ELBSecurityPolicy-2016-08"
    # listener of a network load balancer
    existing_load_balancer = { listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/net/shared/0123456789abcdef/fedcba9876543210", security_group_id = "sg-1" }
  }

  expect_failures = [
    var.name,
    var.model,
    var.image,
    var.private_subnet_ids,
    var.login_secret_arn,
    var.login_secret_kms_key_arn,
    var.environment,
    var.log_retention_days,
    var.sns_topic_arn,
    var.errors_percent,
    var.iam_path,
    var.permissions_boundary_arn,
    var.memory,
    var.ephemeral_storage,
    var.cpu_architecture,
    var.max_tasks,
    var.challenger_max_tasks,
    var.target_cpu_percent,
    var.target_requests_per_minute,
    var.startup_grace_seconds,
    var.drain_seconds,
    var.request_timeout_seconds,
    var.zone_id,
    var.ssl_policy,
    var.existing_load_balancer,
  ]
}

run "wrong_together_two" {
  command = plan

  variables {
    # name that ELB reserves
    name = "internal-mlflow"
    # model like an option
    model = "--help"
    # image that moves
    image = "registry.example.com/mlflowctl:latest"
    # login with a JSON key
    login_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-reader-a1b2c3:password::"
    # variable of the module
    environment = { MLFLOW_TRACKING_URI = "https://other.example.com" }
    # odd CPU
    cpu = 1000
    # no task
    min_tasks = 0
    # no task of the challenger
    challenger_min_tasks = 0
    # open to everybody
    allowed_cidr_blocks = ["0.0.0.0/0"]
  }

  expect_failures = [
    var.name,
    var.model,
    var.image,
    var.login_secret_arn,
    var.environment,
    var.cpu,
    var.min_tasks,
    var.challenger_min_tasks,
    var.allowed_cidr_blocks,
  ]
}

run "wrong_together_three" {
  command = plan

  variables {
    # short name with an underscore
    short_name = "fraud_1"
    # range with host bits
    allowed_cidr_blocks = ["10.20.0.1/16"]
  }

  expect_failures = [
    var.short_name,
    var.allowed_cidr_blocks,
  ]
}

run "wrong_together_four" {
  command = plan

  variables {
    # domain with capitals
    domain_name = "Fraud.example.com"
    # certificate by name
    certificate_arn = "fraud.example.com"
  }

  expect_failures = [
    var.domain_name,
    var.certificate_arn,
  ]
}

run "wrong_together_five" {
  command = plan

  variables {
    # VPC without length
    vpc_cidr_blocks = ["10.20.0.0"]
    # no room for three rules
    existing_load_balancer = { listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210", security_group_id = "sg-1", priority = 49999 }
  }

  expect_failures = [
    var.vpc_cidr_blocks,
    var.existing_load_balancer,
  ]
}

run "short_name_too_long" {
  command = plan

  variables {
    short_name = "fraud-detection-of-cards"
  }

  expect_failures = [var.short_name]
}

run "open_to_nobody" {
  command = plan

  variables {
    vpc_cidr_blocks = []
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "https_without_a_name" {
  command = plan

  variables {
    domain_name = null
  }

  expect_failures = [var.domain_name]
}

run "zone_without_a_name" {
  command = plan

  variables {
    domain_name       = null
    danger_plain_http = true
    certificate_arn   = null
    zone_id           = "Z0123456789ABCDEFGHIJ"
  }

  expect_failures = [var.domain_name]
}

run "existing_load_balancer_without_a_name" {
  command = plan

  variables {
    domain_name            = null
    danger_plain_http      = true
    certificate_arn        = null
    existing_load_balancer = { listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210", security_group_id = "sg-1" }
  }

  expect_failures = [var.domain_name]
}

run "https_without_a_certificate" {
  command = plan

  variables {
    certificate_arn = null
  }

  expect_failures = [var.certificate_arn]
}

run "plain_http_with_a_certificate" {
  command = plan

  variables {
    danger_plain_http = true
  }

  expect_failures = [var.certificate_arn]
}

run "plain_http_out_of_the_vpc" {
  command = plan

  variables {
    danger_plain_http   = true
    certificate_arn     = null
    allowed_cidr_blocks = ["10.30.0.0/16"]
  }

  expect_failures = [var.danger_plain_http]
}

run "existing_listener_without_tls" {
  command = plan

  variables {
    certificate_arn = null
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
    }
  }

  expect_failures = [aws_lb_listener_rule.traffic]
}

run "plain_http_behind_a_public_load_balancer" {
  command = plan

  variables {
    certificate_arn   = null
    danger_plain_http = true
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
    }
  }

  expect_failures = [aws_lb_listener_rule.traffic]
}
