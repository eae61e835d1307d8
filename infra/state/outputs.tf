output "bucket" {
  description = "The bucket: -backend-config=bucket=… of an environment."
  value       = aws_s3_bucket.state.bucket
}

output "region" {
  description = "Its region: -backend-config=region=… of an environment."
  value       = var.region
}
