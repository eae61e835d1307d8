# This configuration has no state to lose: what exists is imported each time, by the bucket's name. So it can be
# run from any machine, and a run that was killed half way is finished by the next one.

import {
  for_each = contains(var.adopt, "bucket") ? toset([local.bucket]) : []
  to       = aws_s3_bucket.state
  id       = each.value
}

import {
  for_each = contains(var.adopt, "versioning") ? toset([local.bucket]) : []
  to       = aws_s3_bucket_versioning.state
  id       = each.value
}

import {
  for_each = contains(var.adopt, "encryption") ? toset([local.bucket]) : []
  to       = aws_s3_bucket_server_side_encryption_configuration.state
  id       = each.value
}

import {
  for_each = contains(var.adopt, "public_access") ? toset([local.bucket]) : []
  to       = aws_s3_bucket_public_access_block.state
  id       = each.value
}

import {
  for_each = contains(var.adopt, "ownership") ? toset([local.bucket]) : []
  to       = aws_s3_bucket_ownership_controls.state
  id       = each.value
}

import {
  for_each = contains(var.adopt, "policy") ? toset([local.bucket]) : []
  to       = aws_s3_bucket_policy.state
  id       = each.value
}

import {
  for_each = contains(var.adopt, "lifecycle") ? toset([local.bucket]) : []
  to       = aws_s3_bucket_lifecycle_configuration.state
  id       = each.value
}
