output "url" {
  description = "Where clients ask the model: POST <url>/invocations."
  value       = local.url
}

output "model" {
  description = "Name of the registered model."
  value       = var.model
}

output "rule_arn" {
  description = "The listener's rule whose weights divide the requests."
  value       = aws_lb_listener_rule.traffic.arn
}

output "target_group_arns" {
  description = "Target groups, by variant."
  value       = { for variant, one in aws_lb_target_group.model : variant => one.arn }
}

output "service_names" {
  description = "ECS services, by variant."
  value       = { for variant, one in aws_ecs_service.model : variant => one.name }
}

output "cluster_name" {
  description = "ECS cluster of both."
  value       = var.tracking_server.cluster_name
}

output "traffic_policy" {
  description = "JSON: change the weights of this one rule, and look at them. For a promoter, or the controller of a live test."
  value       = jsonencode({ Version = "2012-10-17", Statement = local.traffic_statements })
}

output "load_balancer_dns_name" {
  description = "Host name of the load balancer, to point domain_name at where no zone_id was given."
  value       = local.load_balancer_host
}

output "load_balancer_security_group_id" {
  description = "Security group of the load balancer."
  value       = local.load_balancer_security_group_id
}

output "security_group_id" {
  description = "Security group of the model servers."
  value       = aws_security_group.model.id
}

output "task_role_arn" {
  description = "Role of the model servers."
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "Role with which ECS starts a task."
  value       = aws_iam_role.execution.arn
}

output "log_group_names" {
  description = "Log groups, by variant."
  value       = { for variant, one in aws_cloudwatch_log_group.model : variant => one.name }
}

output "alarm_names" {
  description = "The alarms."
  value       = sort(concat([for one in values(aws_cloudwatch_metric_alarm.model) : one.alarm_name], [for one in values(aws_cloudwatch_metric_alarm.errors) : one.alarm_name]))
}
