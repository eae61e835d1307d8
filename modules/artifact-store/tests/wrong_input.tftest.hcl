# One run per rule: what is wrong is refused by the plan, before anything is made.

mock_provider "aws" {}

variables {
  name = "mlflow-test"
}

run "name_with_underscore" {
  command = plan
  variables {
    name = "mlflow_prod"
  }
  expect_failures = [var.name]
}

run "name_too_long_for_a_bucket" {
  command = plan
  variables {
    name = "a-name-of-thirty-two-characters-x"
  }
  expect_failures = [var.name]
}

run "two_keys" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/yours"
  }
  expect_failures = [var.create_kms_key]
}

run "no_key" {
  command = plan
  variables {
    create_kms_key = false
  }
  expect_failures = [var.create_kms_key]
}

run "alias_instead_of_key" {
  command = plan
  variables {
    create_kms_key = false
    kms_key_arn    = "alias/mlflow"
  }
  expect_failures = [var.kms_key_arn]
}

run "tiering_that_takes_hours_to_read" {
  command = plan
  variables {
    artifact_tiering = { storage_class = "DEEP_ARCHIVE", after_days = 90 }
  }
  expect_failures = [var.artifact_tiering]
}

run "tiering_into_one_zone" {
  command = plan
  variables {
    artifact_tiering = { storage_class = "ONEZONE_IA", after_days = 90 }
  }
  expect_failures = [var.artifact_tiering]
}

run "tiering_earlier_than_s3_allows" {
  command = plan
  variables {
    artifact_tiering = { storage_class = "STANDARD_IA", after_days = 7 }
  }
  expect_failures = [var.artifact_tiering]
}

run "tiering_after_half_a_day" {
  command = plan
  variables {
    artifact_tiering = { storage_class = "GLACIER_IR", after_days = 0.5 }
  }
  expect_failures = [var.artifact_tiering]
}

run "access_logs_by_arn" {
  command = plan
  variables {
    access_logs = { bucket = "arn:aws:s3:::logs" }
  }
  expect_failures = [var.access_logs]
}

run "existing_by_arn" {
  command = plan
  variables {
    existing = { artifact_bucket = "arn:aws:s3:::a", registry_bucket = "our-registry" }
  }
  expect_failures = [var.existing]
}

run "existing_bucket_for_both" {
  command = plan
  variables {
    existing = { artifact_bucket = "ours", registry_bucket = "ours" }
  }
  expect_failures = [var.existing]
}

run "existing_with_settings" {
  command = plan
  variables {
    existing             = { artifact_bucket = "our-artifacts", registry_bucket = "our-registry" }
    danger_force_destroy = true
  }
  expect_failures = [var.existing]
}
