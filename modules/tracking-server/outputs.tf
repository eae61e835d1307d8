output "url" {
  description = "Where clients reach MLflow (MLFLOW_TRACKING_URI)."
  value       = local.url
}

output "cluster_name" {
  description = "ECS cluster."
  value       = aws_ecs_cluster.server.name
}

output "cluster_arn" {
  description = "ECS cluster."
  value       = aws_ecs_cluster.server.arn
}

output "service_name" {
  description = "ECS service."
  value       = aws_ecs_service.server.name
}

output "task_definition_arn" {
  description = "Task definition of the service."
  value       = aws_ecs_task_definition.server.arn
}

output "command_task_definition_arn" {
  description = "Task definition for one command of mlflowctl inside the VPC; override the command of its container mlflowctl."
  value       = aws_ecs_task_definition.command.arn
}

output "private_subnet_ids" {
  description = "Subnets in which such a command runs."
  value       = var.private_subnet_ids
}

output "security_group_id" {
  description = "Security group of the server, and of such commands."
  value       = aws_security_group.server.id
}

output "load_balancer_security_group_id" {
  description = "Security group of the load balancer."
  value       = local.load_balancer_security_group_id
}

output "load_balancer_dns_name" {
  description = "Host name of the load balancer, to point domain_name at where no zone_id was given."
  value       = local.load_balancer_host
}

output "load_balancer_arn_suffix" {
  description = "The load balancer, as CloudWatch calls it."
  value       = local.load_balancer_arn_suffix
}

output "target_group_arn_suffix" {
  description = "The target group, as CloudWatch calls it."
  value       = aws_lb_target_group.server.arn_suffix
}

output "target_group_arn" {
  description = "The target group."
  value       = aws_lb_target_group.server.arn
}

output "admin_secret_arn" {
  description = "Secret with the password of MLflow's user admin."
  value       = module.secret["admin"].arn
}

output "session_key_secret_arn" {
  description = "Secret with the key that signs the forms of the UI."
  value       = module.secret["session-key"].arn
}

output "kms_key_arn" {
  description = "Key of these secrets, the logs and the images."
  value       = local.kms_key_arn
}

output "task_role_arn" {
  description = "Role of the containers."
  value       = aws_iam_role.task.arn
}

output "execution_role_arn" {
  description = "Role with which ECS starts a task."
  value       = aws_iam_role.execution.arn
}

output "log_group_names" {
  description = "Log groups, by part: server, bootstrap, probe."
  value       = { for part, group in aws_cloudwatch_log_group.server : part => group.name }
}

output "ecr_repository_url" {
  description = "Where to push the image; null without create_ecr_repository."
  value       = one(aws_ecr_repository.server[*].repository_url)
}

output "min_tasks" {
  description = "Tasks at rest."
  value       = var.min_tasks
}
