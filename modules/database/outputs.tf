# Together these are the `database` input of tracking-server: database = module.database.

output "host" {
  description = "Host name of PostgreSQL."
  value       = local.create ? aws_db_instance.database[var.serving].address : var.existing.host
}

output "port" {
  description = "Port of PostgreSQL."
  value       = local.create ? 5432 : var.existing.port
}

output "name" {
  description = "Name of the database that bootstrap creates."
  value       = local.create ? var.database_name : var.existing.name
}

output "security_group_id" {
  description = "Security group of the database; tracking-server adds the rule that lets its server in."
  value       = local.create ? aws_security_group.database[0].id : var.existing.security_group_id
}

output "instance_identifier" {
  description = "Identifier of the serving RDS instance; null for an existing database that named none."
  value       = local.create ? local.instances[var.serving].identifier : var.existing.instance_identifier
}

output "instance_arns" {
  description = "ARNs of the instances, by key."
  value       = { for key, one in aws_db_instance.database : key => one.arn }
}

output "admin_secret_arn" {
  description = "Secret with the password of mlflowctl_admin."
  value       = local.create ? module.secret["admin"].arn : var.existing.admin_secret_arn
}

output "app_secret_arn" {
  description = "Secret with the password of the role mlflow."
  value       = local.create || try(var.existing.app_secret_arn, null) == null ? module.secret["app"].arn : var.existing.app_secret_arn
}

output "secrets_kms_key_arns" {
  description = "Keys of the secrets; empty: the account's own key for Secrets Manager."
  value       = compact([local.kms_key_arn, try(var.existing.secrets_kms_key_arn, null)])
}

output "password_version" {
  description = "Version of the passwords; there once they are set, so that the service rolls after that."
  value       = local.create ? var.password_version : var.existing.password_version + var.password_version - 1

  depends_on = [aws_db_instance.database, module.secret]
}

output "max_connections" {
  description = "Connections that PostgreSQL accepts; null if unknown (existing)."
  value       = local.create ? var.max_connections : var.existing.max_connections
}

output "allocated_storage" {
  description = "GiB at first; null for an existing database."
  value       = local.create ? var.allocated_storage : null
}

output "deletion_protection" {
  description = "Whether the serving instance refuses to be deleted; null for an existing database."
  value       = local.create ? aws_db_instance.database[var.serving].deletion_protection : null
}

output "final_snapshot_identifiers" {
  description = "Names of the snapshots that deleting would leave behind, by key of the instance."
  value       = { for key, one in aws_db_instance.database : key => one.final_snapshot_identifier if !var.danger_skip_final_snapshot }
}

output "log_group_names" {
  description = "Log groups of PostgreSQL."
  value       = [for one in values(aws_cloudwatch_log_group.database) : one.name]
}
