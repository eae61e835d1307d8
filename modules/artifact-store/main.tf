# Two buckets: artifacts, and the registry's ledger, leases and evidence. Their settings are those of
# scripts/mlflowctl/storage/desired.py, which bootstrap compares with what it finds; a test compares the two.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  create    = var.existing == null
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # What a bucket is for → its name.
  buckets = local.create ? {
    artifacts = "${var.name}-${local.account}-artifacts"
    registry  = "${var.name}-${local.account}-registry"
  } : {}

  create_key = local.create && var.create_kms_key
  key_arn    = local.create_key ? aws_kms_key.this[0].arn : var.kms_key_arn

  # A month to bring back an overwritten or deleted artifact; leases change every few seconds and are worth
  # a week. Nothing expires ledger or evidence, in any version.
  noncurrent = {
    artifacts = { id = "expire-noncurrent-artifacts", prefix = "", days = 30 }
    registry  = { id = "expire-noncurrent-leases", prefix = "leases/", days = 7 }
  }
}

resource "aws_kms_key" "this" {
  count = local.create_key ? 1 : 0

  description             = "Artifacts and registry of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheAccountDecidesByIam"
      Effect    = "Allow"
      Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })

  tags = { Name = "${var.name}-artifacts" }
}

resource "aws_kms_alias" "this" {
  count = local.create_key ? 1 : 0

  name          = "alias/${var.name}-artifacts"
  target_key_id = aws_kms_key.this[0].key_id
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Optional (access_logs): where access logs belong is the account's choice, and CloudTrail data events tell more
  #checkov:skip=CKV_AWS_144:Versions survive mistakes and S3 survives a zone; a second region is a decision about cost and law
  #checkov:skip=CKV2_AWS_62:Nothing listens to events of these buckets
  for_each = local.buckets

  bucket        = each.value
  force_destroy = var.danger_force_destroy

  # Locks nothing by itself. Whoever must keep evidence for years can put a retention on single objects, and
  # this cannot be switched on later by the way.
  object_lock_enabled = each.key == "registry"

  tags = { Name = each.value }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # AWS refuses a policy while it still decides whether the bucket may be public.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "abort-incomplete-multipart-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    id     = local.noncurrent[each.key].id
    status = "Enabled"

    filter {
      prefix = local.noncurrent[each.key].prefix
    }

    noncurrent_version_expiration {
      noncurrent_days = local.noncurrent[each.key].days
    }
  }

  # What gateways recorded of live requests; the evidence that was made of it stays.
  dynamic "rule" {
    for_each = each.key == "registry" ? ["records/"] : []

    content {
      id     = "expire-records"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = 90
      }

      noncurrent_version_expiration {
        noncurrent_days = 7
      }
    }
  }

  dynamic "rule" {
    for_each = each.key == "artifacts" && var.artifact_tiering != null ? [var.artifact_tiering] : []

    content {
      id     = "tier-artifacts"
      status = "Enabled"

      filter {
        prefix = ""
      }

      transition {
        days          = rule.value.after_days
        storage_class = rule.value.storage_class
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = var.access_logs == null ? {} : local.buckets

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = var.access_logs.bucket
  target_prefix = "${var.name}/${each.key}/"
}

# Buckets that are there already are only looked at, so that a wrong name shows in the plan.
data "aws_s3_bucket" "existing" {
  for_each = local.create ? {} : { artifacts = var.existing.artifact_bucket, registry = var.existing.registry_bucket }

  bucket = each.value
}
