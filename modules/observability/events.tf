# ECS forgets after an hour why a task stopped; the log of events keeps it. What a person must know at once is
# an alarm on the rule itself (alarms.tf): a rule that matches shows up as a metric.

locals {
  service_events = {
    source      = ["aws.ecs"]
    detail-type = ["ECS Deployment State Change"]
    resources   = [{ suffix = ":service/${var.server.cluster_name}/${var.server.service_name}" }]
  }
  event_patterns = merge(
    {
      stopped-tasks = jsonencode({
        source      = ["aws.ecs"]
        detail-type = ["ECS Task State Change"]
        detail      = { clusterArn = [var.server.cluster_arn], lastStatus = ["STOPPED"] }
      })
      deployments       = jsonencode(merge(local.service_events, { detail = { eventName = [{ anything-but = "SERVICE_DEPLOYMENT_FAILED" }] } }))
      deployment-failed = jsonencode(merge(local.service_events, { detail = { eventName = ["SERVICE_DEPLOYMENT_FAILED"] } }))
    },
    var.backup == null ? {} : {
      backup-failed = jsonencode({
        source      = ["aws.backup"]
        detail-type = ["Backup Job State Change"]
        detail      = { state = ["FAILED", "ABORTED", "EXPIRED"], backupVaultName = [var.name] }
      })
    },
  )
}

resource "aws_cloudwatch_log_group" "events" {
  name              = local.events
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
}

resource "aws_cloudwatch_log_resource_policy" "events" {
  policy_name = "${var.name}-events"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "EventBridgeOpensStreams"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
        Action    = "logs:CreateLogStream"
        Resource  = "${aws_cloudwatch_log_group.events.arn}:*"
      },
      {
        Sid       = "OwnRulesWrite"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com", "delivery.logs.amazonaws.com"] }
        Action    = "logs:PutLogEvents"
        Resource  = "${aws_cloudwatch_log_group.events.arn}:*"
        Condition = { ArnLike = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*" } }
      },
    ]
  })
}

resource "aws_cloudwatch_event_rule" "event" {
  for_each = local.event_patterns

  name          = "${var.name}-${each.key}"
  description   = "Into the log of events of ${var.name}"
  event_pattern = each.value
}

resource "aws_cloudwatch_event_target" "log" {
  for_each = local.event_patterns

  rule = aws_cloudwatch_event_rule.event[each.key].name
  arn  = aws_cloudwatch_log_group.events.arn
}
