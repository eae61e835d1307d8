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
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:mlflow-test-alarms" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/events/mlflowctl/mlflow-test" }
  }
  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:mlflow-test" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mlflow-test-bkp" }
  }
}

variables {
  name = "mlflow-test"

  server = {
    cluster_name             = "mlflow-test"
    cluster_arn              = "arn:aws:ecs:eu-central-1:123456789012:cluster/mlflow-test"
    service_name             = "mlflow-test"
    load_balancer_arn_suffix = "app/mlflow-test/0123456789abcdef"
    target_group_arn_suffix  = "targetgroup/mlflo-1/0123456789abcdef"
    log_group_names = {
      server    = "/mlflowctl/mlflow-test/server"
      bootstrap = "/mlflowctl/mlflow-test/bootstrap"
      probe     = "/mlflowctl/mlflow-test/probe"
    }
  }

  database = {
    instance_identifier = "mlflow-test"
    max_connections     = 300
    allocated_storage   = 20
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

run "server_without_probe" {
  command = plan

  variables {
    server = {
      cluster_name             = "mlflow-test"
      cluster_arn              = "arn:aws:ecs:eu-central-1:123456789012:cluster/mlflow-test"
      service_name             = "mlflow-test"
      load_balancer_arn_suffix = "app/mlflow-test/0"
      target_group_arn_suffix  = "targetgroup/mlflo-1/0"
      log_group_names          = { server = "/mlflowctl/mlflow-test/server" }
    }
  }

  expect_failures = [var.server]
}

run "two_addresses" {
  command = plan

  variables {
    alarm_email = "a@example.com, b@example.com"
  }

  expect_failures = [var.alarm_email]
}

run "topic_by_name" {
  command = plan

  variables {
    sns_topic_arn = "alarms"
  }

  expect_failures = [var.sns_topic_arn]
}

run "address_for_a_given_topic" {
  command = plan

  variables {
    sns_topic_arn = "arn:aws:sns:eu-central-1:123456789012:on-call"
    alarm_email   = "on-call@example.com"
  }

  expect_failures = [var.sns_topic_arn]
}

run "more_than_everything" {
  command = plan

  variables {
    thresholds = { cpu_percent = 120 }
  }

  expect_failures = [var.thresholds]
}

run "odd_log_retention" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "backup_of_nothing" {
  command = plan

  variables {
    backup = { resource_arns = [] }
  }

  expect_failures = [var.backup]
}

run "backup_now_and_then" {
  command = plan

  variables {
    backup = {
      resource_arns = ["arn:aws:rds:eu-central-1:123456789012:db:mlflow-test"]
      schedule      = "daily"
    }
  }

  expect_failures = [var.backup]
}

run "backup_kept_for_no_time" {
  command = plan

  variables {
    backup = {
      resource_arns = ["arn:aws:rds:eu-central-1:123456789012:db:mlflow-test"]
      keep_days     = 0
    }
  }

  expect_failures = [var.backup]
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
