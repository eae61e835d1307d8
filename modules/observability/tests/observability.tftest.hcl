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

run "alarms_that_mean_something" {
  assert {
    condition = output.alarm_names == tolist([
      "mlflow-test-bootstrap-failed",
      "mlflow-test-cpu",
      "mlflow-test-database-connections",
      "mlflow-test-database-cpu",
      "mlflow-test-database-storage",
      "mlflow-test-deep-probe",
      "mlflow-test-deployment-failed",
      "mlflow-test-load-balancer-5xx",
      "mlflow-test-memory",
      "mlflow-test-no-healthy-host",
      "mlflow-test-no-running-task",
      "mlflow-test-server-5xx",
      "mlflow-test-unhealthy-hosts",
    ])
    error_message = "the alarms"
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.alarm), [aws_cloudwatch_metric_alarm.server_5xx]) :
      alarm.alarm_actions == toset([aws_sns_topic.alarms[0].arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms[0].arn])
    ])
    error_message = "each alarm tells the topic when it begins and when it ends"
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.alarm) : length(alarm.alarm_description) > 40])
    error_message = "each alarm says what to look at"
  }
}

run "silence_is_an_alarm_where_it_must_be" {
  assert {
    condition     = toset([for name, alarm in aws_cloudwatch_metric_alarm.alarm : name if alarm.treat_missing_data == "breaching"]) == toset(["no-running-task", "no-healthy-host", "deep-probe"])
    error_message = "a server that says nothing is not well"
  }
}

run "probe_and_bootstrap_are_read_from_their_logs" {
  assert {
    condition = (
      aws_cloudwatch_log_metric_filter.deep_probe.log_group_name == "/mlflowctl/mlflow-test/probe" &&
      aws_cloudwatch_log_metric_filter.deep_probe.pattern == "[status != 200, ...]" &&
      aws_cloudwatch_metric_alarm.alarm["deep-probe"].metric_name == "DeepProbeFailures" &&
      aws_cloudwatch_metric_alarm.alarm["deep-probe"].namespace == "mlflowctl/mlflow-test"
    )
    error_message = "the deep probe"
  }

  assert {
    condition = (
      aws_cloudwatch_log_metric_filter.bootstrap_failed.log_group_name == "/mlflowctl/mlflow-test/bootstrap" &&
      aws_cloudwatch_log_metric_filter.bootstrap_failed.pattern == "\"error:\"" &&
      aws_cloudwatch_metric_alarm.alarm["bootstrap-failed"].metric_name == "BootstrapFailures"
    )
    error_message = "bootstrap"
  }
}

run "database_thresholds" {
  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["database-connections"].threshold == 240 && aws_cloudwatch_metric_alarm.alarm["database-storage"].threshold == 1073741824
    error_message = "80 % of 300 connections, 5 % of 20 GiB"
  }
}

run "database_elsewhere" {
  variables {
    database = {}
  }

  assert {
    condition     = length([for name in output.alarm_names : name if strcontains(name, "database")]) == 0
    error_message = "no alarms on what CloudWatch does not see"
  }
}

run "topic_is_encrypted_and_closed" {
  assert {
    condition     = aws_sns_topic.alarms[0].kms_master_key_id == aws_kms_key.observability[0].arn
    error_message = "a key of its own"
  }

  assert {
    condition     = [for one in jsondecode(aws_sns_topic_policy.alarms[0].policy).Statement : one.Principal.Service if one.Effect == "Allow"] == ["cloudwatch.amazonaws.com"]
    error_message = "only alarms publish"
  }
}

run "own_topic" {
  variables {
    sns_topic_arn = "arn:aws:sns:eu-central-1:123456789012:on-call"
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && aws_cloudwatch_metric_alarm.server_5xx.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:on-call"])
    error_message = "alarms go to the given topic"
  }
}

run "email" {
  variables {
    alarm_email = "on-call@example.com"
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].protocol == "email" && aws_sns_topic_subscription.email[0].endpoint == "on-call@example.com"
    error_message = "the address is subscribed"
  }
}

run "events_are_kept" {
  assert {
    condition     = toset(keys(aws_cloudwatch_event_target.log)) == toset(["stopped-tasks", "deployments", "deployment-failed"])
    error_message = "why tasks stopped, and how deployments ended"
  }

  assert {
    condition     = aws_cloudwatch_log_group.events.retention_in_days == 365 && aws_cloudwatch_log_group.events.kms_key_id == aws_kms_key.observability[0].arn
    error_message = "retention and key"
  }
}

run "no_backup_unless_asked_for" {
  assert {
    condition     = length(aws_backup_vault.backup) + length(aws_backup_plan.backup) + length(aws_iam_role.backup) == 0
    error_message = "AWS Backup is off"
  }
}

run "backup" {
  variables {
    backup = {
      resource_arns = ["arn:aws:rds:eu-central-1:123456789012:db:mlflow-test"]
      keep_days     = 90
    }
  }

  assert {
    condition     = one(aws_backup_plan.backup["on"].rule).lifecycle[0].delete_after == 90 && aws_backup_vault.backup["on"].kms_key_arn == aws_kms_key.observability[0].arn
    error_message = "kept and encrypted"
  }

  assert {
    condition     = contains(output.alarm_names, "mlflow-test-backup-failed")
    error_message = "a backup that failed is told"
  }
}

run "dashboard" {
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.dashboard[0].dashboard_body).widgets) == 8
    error_message = "the alarms and seven graphs"
  }
}

run "no_dashboard" {
  variables {
    dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_dashboard.dashboard) == 0 && output.dashboard_name == null
    error_message = "none"
  }
}
