output "environment" {
  description = "Name of the environment."
  value       = var.environment
}

output "url" {
  description = "Where clients reach MLflow (MLFLOW_TRACKING_URI)."
  value       = module.tracking_server.url
}

output "image" {
  description = "The image that was applied; a change of it makes `mlflowctl cloud apply` take a snapshot first."
  value       = var.image
}

output "artifact_bucket" {
  description = "The bucket of artifacts."
  value       = module.artifact_store.artifact_bucket
}

output "registry_bucket" {
  description = "The bucket of ledger, leases and evidence."
  value       = module.artifact_store.registry_bucket
}

output "database" {
  description = "Identifier of the serving RDS instance; null for an existing database that named none."
  value       = module.database.instance_identifier
}

output "admin_secret_arn" {
  description = "Secret with the password of MLflow's user admin: aws secretsmanager get-secret-value --secret-id …"
  value       = module.tracking_server.admin_secret_arn
}

output "load_balancer_dns_name" {
  description = "Host name of the load balancer, to point domain_name at where no zone_id was given."
  value       = module.tracking_server.load_balancer_dns_name
}

output "ecr_repository_url" {
  description = "Where to push the image; null without create_ecr_repository."
  value       = module.tracking_server.ecr_repository_url
}

output "parameter" {
  description = "The parameter in which this environment tells where it is."
  value       = aws_ssm_parameter.published.name
}

output "serving" {
  description = "Where each served model is asked (POST <url>/invocations), by its name."
  value       = { for one in module.serving : one.model => one.url }
}

output "traffic_policies" {
  description = "Policy documents (JSON) for whoever changes the weights of one served model alone, such as the controller of its live test, by its name."
  value       = { for one in module.serving : one.model => one.traffic_policy }
}

output "sns_topic_arn" {
  description = "Where every alarm goes."
  value       = module.observability.sns_topic_arn
}

output "policies" {
  description = "Policy documents (JSON) for people and jobs, by role."
  value = {
    reader   = module.access.reader_policy
    trainer  = module.access.trainer_policy
    promoter = module.access.promoter_policy
  }
}
