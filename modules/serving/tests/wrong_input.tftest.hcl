# One run per validation: wrong input is refused by the plan, before anything is made.

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

run "model_with_a_slash" {
  command = plan

  variables {
    model = "team/fraud"
  }

  expect_failures = [var.model]
}

run "model_like_an_option" {
  command = plan

  variables {
    model = "--help"
  }

  expect_failures = [var.model]
}

run "short_name_with_underscore" {
  command = plan

  variables {
    short_name = "fraud_1"
  }

  expect_failures = [var.short_name]
}

run "short_name_too_long" {
  command = plan

  variables {
    short_name = "fraud-detection-of-cards"
  }

  expect_failures = [var.short_name]
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

run "login_by_name" {
  command = plan

  variables {
    login_secret_arn = "mlflow-reader"
  }

  expect_failures = [var.login_secret_arn]
}

run "login_with_a_json_key" {
  command = plan

  variables {
    login_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-reader-a1b2c3:password::"
  }

  expect_failures = [var.login_secret_arn]
}

run "login_key_by_alias" {
  command = plan

  variables {
    login_secret_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/ours"
  }

  expect_failures = [var.login_secret_kms_key_arn]
}

run "secret_in_the_environment" {
  command = plan

  variables {
    environment = { PIP_INDEX_PASSWORD = "x" }
  }

  expect_failures = [var.environment]
}

run "variable_of_the_module" {
  command = plan

  variables {
    environment = { MLFLOW_TRACKING_URI = "https://other.example.com" }
  }

  expect_failures = [var.environment]
}

run "odd_retention" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "topic_by_name" {
  command = plan

  variables {
    sns_topic_arn = "alarms"
  }

  expect_failures = [var.sns_topic_arn]
}

run "no_error_allowed" {
  command = plan

  variables {
    errors_percent = 0
  }

  expect_failures = [var.errors_percent]
}

run "path_without_slash" {
  command = plan

  variables {
    iam_path = "mlflow"
  }

  expect_failures = [var.iam_path]
}

run "boundary_by_name" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
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
    memory = 1024
  }

  expect_failures = [var.memory]
}

run "little_scratch_space" {
  command = plan

  variables {
    ephemeral_storage = 20
  }

  expect_failures = [var.ephemeral_storage]
}

run "unknown_architecture" {
  command = plan

  variables {
    cpu_architecture = "RISCV"
  }

  expect_failures = [var.cpu_architecture]
}

run "no_task" {
  command = plan

  variables {
    min_tasks = 0
  }

  expect_failures = [var.min_tasks]
}

run "fewer_tasks_under_load" {
  command = plan

  variables {
    min_tasks = 3
    max_tasks = 2
  }

  expect_failures = [var.max_tasks]
}

run "no_task_of_the_challenger" {
  command = plan

  variables {
    challenger_min_tasks = 0
  }

  expect_failures = [var.challenger_min_tasks]
}

run "fewer_tasks_of_the_challenger_under_load" {
  command = plan

  variables {
    challenger_min_tasks = 3
  }

  expect_failures = [var.challenger_max_tasks]
}

run "cpu_target_of_everything" {
  command = plan

  variables {
    target_cpu_percent = 100
  }

  expect_failures = [var.target_cpu_percent]
}

run "hardly_any_requests" {
  command = plan

  variables {
    target_requests_per_minute = 1
  }

  expect_failures = [var.target_requests_per_minute]
}

run "no_grace" {
  command = plan

  variables {
    startup_grace_seconds = 30
  }

  expect_failures = [var.startup_grace_seconds]
}

run "requests_cut_off" {
  command = plan

  variables {
    drain_seconds = 0
  }

  expect_failures = [var.drain_seconds]
}

run "vpc_without_length" {
  command = plan

  variables {
    vpc_cidr_blocks = ["10.20.0.0"]
  }

  expect_failures = [var.vpc_cidr_blocks]
}

run "range_with_host_bits" {
  command = plan

  variables {
    allowed_cidr_blocks = ["10.20.0.1/16"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "open_to_everybody" {
  command = plan

  variables {
    allowed_cidr_blocks = ["0.0.0.0/0"]
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "open_to_nobody" {
  command = plan

  variables {
    vpc_cidr_blocks = []
  }

  expect_failures = [var.allowed_cidr_blocks]
}

run "domain_with_capitals" {
  command = plan

  variables {
    domain_name = "Fraud.example.com"
  }

  expect_failures = [var.domain_name]
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

run "zone_by_name" {
  command = plan

  variables {
    zone_id = "example.com"
  }

  expect_failures = [var.zone_id]
}

run "certificate_by_name" {
  command = plan

  variables {
    certificate_arn = "fraud.example.com"
  }

  expect_failures = [var.certificate_arn]
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

run "old_tls" {
  command = plan

  variables {
    ssl_policy = "ELBSecurityPolicy-2016-08"
  }

  expect_failures = [var.ssl_policy]
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

run "listener_of_a_network_load_balancer" {
  command = plan

  variables {
    existing_load_balancer = { listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/net/shared/0123456789abcdef/fedcba9876543210", security_group_id = "sg-1" }
  }

  expect_failures = [var.existing_load_balancer]
}

run "no_room_for_three_rules" {
  command = plan

  variables {
    existing_load_balancer = { listener_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210", security_group_id = "sg-1", priority = 49999 }
  }

  expect_failures = [var.existing_load_balancer]
}

run "longer_than_the_servers_keep_a_connection" {
  command = plan

  variables {
    request_timeout_seconds = 300
  }

  expect_failures = [var.request_timeout_seconds]
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
