# Each alarm is something that a person has to look at. Its description says what to look at first.

locals {
  metrics = "mlflowctl/${var.name}" # namespace of what is read from logs

  service  = { ClusterName = var.server.cluster_name, ServiceName = var.server.service_name }
  targets  = { LoadBalancer = var.server.load_balancer_arn_suffix, TargetGroup = var.server.target_group_arn_suffix }
  balancer = { LoadBalancer = var.server.load_balancer_arn_suffix }

  server_alarms = {
    no-running-task = {
      description = "No task of the server runs. Look: the last stopped tasks in the log group ${local.events}, then the service's events in ECS."
      namespace   = "ECS/ContainerInsights", metric = "RunningTaskCount", dimensions = local.service
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 1
      period      = 60, of = 3, missing = "breaching"
    }
    no-healthy-host = {
      description = "No task answers the load balancer: MLflow is down for everybody. Look: the log groups of server and bootstrap."
      namespace   = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.targets
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 1
      period      = 60, of = 3, missing = "breaching"
    }
    unhealthy-hosts = {
      description = "A task runs but does not answer /health. Look: the log group of the server; ECS replaces the task by itself."
      namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.targets
      statistic   = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1
      period      = 60, of = 5, missing = "notBreaching"
    }
    load-balancer-5xx = {
      description = "The load balancer itself answers 502, 503 or 504: no task took the request, or it took too long."
      namespace   = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = local.balancer
      statistic   = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = var.thresholds.load_balancer_5xx
      period      = 300, of = 1, missing = "notBreaching"
    }
    deep-probe = {
      description = "The server runs but cannot work (database or bucket does not answer), or nobody asks it any more. Look: the log groups of probe and server, then the database's alarms."
      namespace   = local.metrics, metric = aws_cloudwatch_log_metric_filter.deep_probe.metric_transformation[0].name, dimensions = {}
      statistic   = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1
      period      = 60, of = 5, missing = "breaching"
    }
    bootstrap-failed = {
      description = "A new task could not bring database, guard or buckets to its release, so it did not start; the tasks before it still serve. Look: the log group of bootstrap, its last lines say what to do."
      namespace   = local.metrics, metric = aws_cloudwatch_log_metric_filter.bootstrap_failed.metric_transformation[0].name, dimensions = {}
      statistic   = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1
      period      = 300, of = 1, missing = "notBreaching"
    }
    cpu = {
      description = "The tasks are busy although autoscaling had a quarter of an hour: max_tasks is reached, or one task cannot go faster."
      namespace   = "AWS/ECS", metric = "CPUUtilization", dimensions = local.service
      statistic   = "Average", comparison = "GreaterThanOrEqualToThreshold", threshold = var.thresholds.cpu_percent
      period      = 300, of = 3, missing = "notBreaching"
    }
    memory = {
      description = "A task is about to run out of memory, and would then be killed. Raise memory, or lower the number of workers."
      namespace   = "AWS/ECS", metric = "MemoryUtilization", dimensions = local.service
      statistic   = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = var.thresholds.memory_percent
      period      = 300, of = 3, missing = "notBreaching"
    }
  }

  # EventBridge counts how often each rule matched.
  event_alarms = {
    for rule, description in {
      deployment-failed = "A deployment failed and was taken back: the tasks before it serve on. Look: the log groups of bootstrap and server at that time, and ${local.events}."
      backup-failed     = "AWS Backup could not make a copy. Look: ${local.events} names the job and the reason."
      } : rule => {
      description = description
      namespace   = "AWS/Events", metric = "TriggeredRules", dimensions = { RuleName = aws_cloudwatch_event_rule.event[rule].name }
      statistic   = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1
      period      = 300, of = 1, missing = "notBreaching"
    } if contains(keys(local.event_patterns), rule)
  }

  rds            = { DBInstanceIdentifier = coalesce(var.database.instance_identifier, "-") }
  watch_database = var.database.instance_identifier != null
  database_alarms = merge(
    !local.watch_database ? {} : {
      database-cpu = {
        description = "PostgreSQL is busy for a quarter of an hour. Look: the top statements in Performance Insights."
        namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = local.rds
        statistic   = "Average", comparison = "GreaterThanOrEqualToThreshold", threshold = var.thresholds.database_cpu_percent
        period      = 300, of = 3, missing = "notBreaching"
      }
    },
    !local.watch_database || var.database.allocated_storage == null ? {} : {
      database-storage = {
        description = "PostgreSQL is running out of disk, and would stop. Storage did not grow by itself: raise max_allocated_storage."
        namespace   = "AWS/RDS", metric = "FreeStorageSpace", dimensions = local.rds
        statistic   = "Minimum", comparison = "LessThanThreshold", threshold = coalesce(var.database.allocated_storage, 0) * 1073741824 * var.thresholds.database_free_percent / 100
        period      = 300, of = 3, missing = "missing"
      }
    },
    !local.watch_database || var.database.max_connections == null ? {} : {
      database-connections = {
        description = "PostgreSQL is running out of connections; new ones will be refused. Raise max_connections, or lower max_tasks."
        namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = local.rds
        statistic   = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = floor(coalesce(var.database.max_connections, 0) * var.thresholds.database_connections_percent / 100)
        period      = 300, of = 3, missing = "notBreaching"
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = merge(local.server_alarms, local.event_alarms, local.database_alarms)

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.of
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}

# A share of the requests, not a number: one error among three requests at night wakes nobody.
resource "aws_cloudwatch_metric_alarm" "server_5xx" {
  alarm_name          = "${var.name}-server-5xx"
  alarm_description   = "The server answers too many requests with an error of its own. Look: the log group of the server, then the alarms deep-probe and database."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.thresholds.server_5xx_percent
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]

  metric_query {
    id          = "percent"
    expression  = "IF(requests >= 20, 100 * errors / requests, 0)"
    label       = "Requests that failed (%)"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = local.targets
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = local.targets
      stat        = "Sum"
      period      = 300
    }
  }
}

# The probe's lines begin with the status that the server answered: 200, 503, or no number at all.
resource "aws_cloudwatch_log_metric_filter" "deep_probe" {
  name           = "${var.name}-deep-probe"
  log_group_name = var.server.log_group_names["probe"]
  pattern        = "[status != 200, ...]"

  metric_transformation {
    namespace     = local.metrics
    name          = "DeepProbeFailures"
    value         = "1"
    default_value = "0" # so that silence and health can be told apart
  }
}

# mlflowctl begins what went wrong with "error:" (scripts/mlflowctl/console.py).
resource "aws_cloudwatch_log_metric_filter" "bootstrap_failed" {
  name           = "${var.name}-bootstrap-failed"
  log_group_name = var.server.log_group_names["bootstrap"]
  pattern        = "\"error:\""

  metric_transformation {
    namespace     = local.metrics
    name          = "BootstrapFailures"
    value         = "1"
    default_value = "0"
  }
}
