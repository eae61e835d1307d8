# Wrong input is refused by the plan, before anything is made. A run breaks as many rules as do not look at one
# another, each of another variable: to start a run takes longer than to find out.

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

run "wrong_together_one" {
  command = plan

  variables {
    name = "MLflow" # name with capitals
    # server without probe
    server = {
      cluster_name             = "mlflow-test"
      cluster_arn              = "arn:aws:ecs:eu-central-1:123456789012:cluster/mlflow-test"
      service_name             = "mlflow-test"
      load_balancer_arn_suffix = "app/mlflow-test/0"
      target_group_arn_suffix  = "targetgroup/mlflo-1/0"
      log_group_names          = { server = "/mlflowctl/mlflow-test/server" }
    }
    alarm_email              = "a@example.com, b@example.com" # two addresses
    thresholds               = { cpu_percent = 120 }          # more than everything
    log_retention_days       = 100                            # odd log retention
    backup                   = { resource_arns = [] }         # backup of nothing
    iam_path                 = "mlflow"                       # path without slash
    permissions_boundary_arn = "boundary"                     # boundary is no policy
  }

  expect_failures = [
    var.name,
    var.server,
    var.alarm_email,
    var.thresholds,
    var.log_retention_days,
    var.backup,
    var.iam_path,
    var.permissions_boundary_arn,
  ]
}

run "wrong_together_two" {
  command = plan

  variables {
    sns_topic_arn = "alarms" # topic by name
    # backup now and then
    backup = {
      resource_arns = ["arn:aws:rds:eu-central-1:123456789012:db:mlflow-test"]
      schedule      = "daily"
    }
  }

  expect_failures = [
    var.sns_topic_arn,
    var.backup,
  ]
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

run "address_for_a_given_topic" {
  command = plan

  variables {
    sns_topic_arn = "arn:aws:sns:eu-central-1:123456789012:on-call"
    alarm_email   = "on-call@example.com"
  }

  expect_failures = [var.sns_topic_arn]
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
