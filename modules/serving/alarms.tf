# Each alarm is something that a person has to look at. Its description says what to look at first.

locals {
  topics = compact([var.sns_topic_arn])

  service = { for variant, one in aws_ecs_service.model : variant => { ClusterName = var.tracking_server.cluster_name, ServiceName = one.name } }
  targets = { for variant, one in aws_lb_target_group.model : variant => { LoadBalancer = local.load_balancer_arn_suffix, TargetGroup = one.arn_suffix } }

  alarms = merge([for variant in keys(local.variants) : {
    "${variant}-no-running-task" = {
      description = "No task of the ${variant} of ${var.model} runs. Look: the service's events in ECS, then the log group ${aws_cloudwatch_log_group.model[variant].name}."
      namespace   = "ECS/ContainerInsights", metric = "RunningTaskCount", dimensions = local.service[variant]
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 1
      period      = 60, of = 3, missing = "breaching"
    }
    "${variant}-unhealthy-hosts" = {
      description = "A task of the ${variant} of ${var.model} does not answer /ping. ECS replaces it by itself; if that goes on: the log group ${aws_cloudwatch_log_group.model[variant].name}."
      namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.targets[variant]
      statistic   = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1
      period      = 60, of = 5, missing = "notBreaching"
    }
  }]...)
}

resource "aws_cloudwatch_metric_alarm" "model" {
  for_each = local.alarms

  alarm_name          = "${local.full_name}-${each.key}"
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
  alarm_actions       = local.topics
  ok_actions          = local.topics
}

# A share of the requests, not a number: one error among three requests at night wakes nobody.
resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.variants

  alarm_name          = "${local.full_name}-${each.key}-5xx"
  alarm_description   = "The ${each.key} of ${var.model} answers too many requests with an error of its own. Look: mlflowctl live status, then the log group ${aws_cloudwatch_log_group.model[each.key].name}."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.errors_percent
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  ok_actions          = local.topics

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
      dimensions  = local.targets[each.key]
      stat        = "Sum"
      period      = 300
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = local.targets[each.key]
      stat        = "Sum"
      period      = 300
    }
  }
}
