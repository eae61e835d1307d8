mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
  }
  override_resource {
    target = aws_s3_bucket.this["artifacts"]
    values = { id = "mlflow-test-123456789012-artifacts", arn = "arn:aws:s3:::mlflow-test-123456789012-artifacts" }
  }
  override_resource {
    target = aws_s3_bucket.this["registry"]
    values = { id = "mlflow-test-123456789012-registry", arn = "arn:aws:s3:::mlflow-test-123456789012-registry" }
  }
}

variables {
  name = "mlflow-test"
}

run "two_buckets_of_our_own" {
  assert {
    condition     = output.artifact_bucket == "mlflow-test-123456789012-artifacts" && output.registry_bucket == "mlflow-test-123456789012-registry"
    error_message = "The names carry the account, so that they are free."
  }
  assert {
    condition     = alltrue([for one in aws_s3_bucket_versioning.this : one.versioning_configuration[0].status == "Enabled"])
    error_message = "Both buckets keep versions."
  }
  assert {
    condition = alltrue([
      for one in aws_s3_bucket_public_access_block.this :
      one.block_public_acls && one.block_public_policy && one.ignore_public_acls && one.restrict_public_buckets
    ])
    error_message = "Both buckets are closed to the public in all four ways."
  }
  assert {
    condition     = alltrue([for one in aws_s3_bucket_ownership_controls.this : one.rule[0].object_ownership == "BucketOwnerEnforced"])
    error_message = "ACLs are off."
  }
  assert {
    condition = alltrue([
      for one in aws_s3_bucket_server_side_encryption_configuration.this :
      alltrue([for rule in one.rule : rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == output.kms_key_arn])
    ])
    error_message = "Both buckets are encrypted with the module's key."
  }
  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "The key turns."
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "A bucket that holds something is not destroyed."
  }
}

run "plain_http_is_refused" {
  assert {
    condition = alltrue([
      for key, one in aws_s3_bucket_policy.this : jsondecode(one.policy).Statement == [{
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this[key].arn, "${aws_s3_bucket.this[key].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    ])
    error_message = "The policy refuses plain http, and says nothing else."
  }
}

run "ledger_and_evidence_never_expire" {
  assert {
    condition = [for rule in aws_s3_bucket_lifecycle_configuration.this["registry"].rule : rule.filter[0].prefix if length(rule.noncurrent_version_expiration) > 0] == [
      "leases/", "records/"
    ]
    error_message = "In the registry only old leases and records expire."
  }
  assert {
    condition = alltrue(flatten([
      for one in aws_s3_bucket_lifecycle_configuration.this : [for rule in one.rule : (length(rule.expiration) == 0 || rule.filter[0].prefix == "records/") && length(rule.transition) == 0]
    ]))
    error_message = "No current object but a record expires or moves."
  }
  assert {
    condition     = aws_s3_bucket.this["registry"].object_lock_enabled && !aws_s3_bucket.this["artifacts"].object_lock_enabled
    error_message = "A single object of the registry can be given a retention."
  }
}

run "tiering_concerns_artifacts_only" {
  variables {
    artifact_tiering = { storage_class = "INTELLIGENT_TIERING", after_days = 0 }
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this["artifacts"].rule) == 3 && length(aws_s3_bucket_lifecycle_configuration.this["registry"].rule) == 3
    error_message = "Only artifacts move."
  }
  assert {
    condition     = [for move in aws_s3_bucket_lifecycle_configuration.this["artifacts"].rule[2].transition : move.storage_class] == ["INTELLIGENT_TIERING"]
    error_message = "Artifacts move to the class that was asked for."
  }
}

run "a_key_of_yours_and_access_logs" {
  variables {
    create_kms_key = false
    kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/yours"
    access_logs    = { bucket = "our-logs" }
  }
  assert {
    condition     = length(aws_kms_key.this) == 0 && output.kms_key_arn == var.kms_key_arn
    error_message = "Your key is used, and none is made."
  }
  assert {
    condition     = aws_s3_bucket_logging.this["registry"].target_bucket == "our-logs" && aws_s3_bucket_logging.this["registry"].target_prefix == "mlflow-test/registry/"
    error_message = "Access logs go where they were sent."
  }
}

run "existing_buckets_are_only_looked_at" {
  variables {
    existing = { artifact_bucket = "our-artifacts", registry_bucket = "our-registry" }
  }
  override_data {
    target = data.aws_s3_bucket.existing["artifacts"]
    values = { id = "our-artifacts", arn = "arn:aws:s3:::our-artifacts" }
  }
  override_data {
    target = data.aws_s3_bucket.existing["registry"]
    values = { id = "our-registry", arn = "arn:aws:s3:::our-registry" }
  }
  assert {
    condition     = length(aws_s3_bucket.this) + length(aws_s3_bucket_policy.this) + length(aws_s3_bucket_lifecycle_configuration.this) + length(aws_kms_key.this) == 0
    error_message = "Nothing about an existing bucket is changed."
  }
  assert {
    condition     = output.artifact_bucket == "our-artifacts" && output.registry_bucket_arn == "arn:aws:s3:::our-registry" && output.kms_key_arn == null
    error_message = "The outputs describe the existing buckets."
  }
}
