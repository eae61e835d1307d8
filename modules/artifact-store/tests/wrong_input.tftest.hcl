# Wrong input is refused by the plan, before anything is made. A run breaks as many rules as do not look at one
# another, each of another variable: to start a run takes longer than to find out.

mock_provider "aws" {}

variables {
  name = "mlflow-test"
}

run "wrong_together_one" {
  command = plan

  variables {
    name           = "mlflow_prod" # name with underscore
    create_kms_key = false         # no key
  }

  expect_failures = [
    var.name,
    var.create_kms_key,
  ]
}

run "wrong_together_two" {
  command = plan

  variables {
    name             = "a-name-of-thirty-two-characters-x"                 # name too long for a bucket
    artifact_tiering = { storage_class = "DEEP_ARCHIVE", after_days = 90 } # tiering that takes hours to read
    access_logs      = { bucket = "arn:aws:s3:::logs" }                    # access logs by arn
  }

  expect_failures = [
    var.name,
    var.artifact_tiering,
    var.access_logs,
  ]
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

run "two_keys" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/yours"
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

run "existing_with_settings" {
  command = plan
  variables {
    existing             = { artifact_bucket = "our-artifacts", registry_bucket = "our-registry" }
    danger_force_destroy = true
  }
  expect_failures = [var.existing]
}
