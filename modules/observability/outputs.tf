output "sns_topic_arn" {
  description = "Where every alarm goes."
  value       = local.topic_arn
}

output "alarm_names" {
  description = "The alarms."
  value       = sort(concat([for one in values(aws_cloudwatch_metric_alarm.alarm) : one.alarm_name], [aws_cloudwatch_metric_alarm.server_5xx.alarm_name]))
}

output "dashboard_name" {
  description = "The dashboard; null if there is none."
  value       = one(aws_cloudwatch_dashboard.dashboard[*].dashboard_name)
}

output "events_log_group_name" {
  description = "Log group with stopped tasks and deployments."
  value       = aws_cloudwatch_log_group.events.name
}

output "backup_vault_name" {
  description = "Vault of AWS Backup; null if there is none."
  value       = one([for vault in values(aws_backup_vault.backup) : vault.name])
}

output "kms_key_arn" {
  description = "Key of topic, events and vault."
  value       = local.kms_key_arn
}
