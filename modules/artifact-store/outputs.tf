output "artifact_bucket" {
  description = "The bucket of artifacts; there once it is versioned, encrypted and closed to the public."
  value       = local.create ? aws_s3_bucket.this["artifacts"].id : data.aws_s3_bucket.existing["artifacts"].id

  depends_on = [
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

output "registry_bucket" {
  description = "The bucket of ledger, leases and evidence; there once it is versioned, encrypted and closed to the public."
  value       = local.create ? aws_s3_bucket.this["registry"].id : data.aws_s3_bucket.existing["registry"].id

  depends_on = [
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

output "artifact_bucket_arn" {
  description = "ARN of the bucket of artifacts."
  value       = local.create ? aws_s3_bucket.this["artifacts"].arn : data.aws_s3_bucket.existing["artifacts"].arn
}

output "registry_bucket_arn" {
  description = "ARN of the bucket of ledger, leases and evidence."
  value       = local.create ? aws_s3_bucket.this["registry"].arn : data.aws_s3_bucket.existing["registry"].arn
}

output "kms_key_arn" {
  description = "The key of both buckets; null for existing buckets whose key was not told."
  value       = local.key_arn
}
