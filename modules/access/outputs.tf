output "reader_policy" {
  description = "JSON: read the registry, and artifacts where clients reach them in S3."
  value       = local.documents["reader"]
}

output "trainer_policy" {
  description = "JSON: as reader, and write artifacts where clients reach them in S3. Nothing in the registry bucket."
  value       = local.documents["trainer"]
}

output "promoter_policy" {
  description = "JSON: as reader, and append to ledger and evidence, hold leases, change the weights of traffic_rule_arns. Overwrites and deletes nothing."
  value       = local.documents["promoter"]
}

output "deployer_policies" {
  description = "JSON by part (IAM allows 6144 characters a policy): all of them together are what `terraform apply` of infra/aws needs. Empty without deployer."
  value       = { for part in local.deployer_parts : part => local.documents["deployer-${part}"] }
}

output "policy_arns" {
  description = "ARNs of the managed policies, by name: reader, trainer, promoter, deployer-…; empty without create_policies."
  value       = { for name, policy in aws_iam_policy.this : name => policy.arn }
}
