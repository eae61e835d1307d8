# Plans with the real provider, offline: `mock_provider` knows no ephemeral resources (Terraform 1.11).

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  name        = "mlflow-test-database-admin"
  description = "A password"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/0"
}

run "right_input_passes" {
  command = plan

  assert {
    condition     = aws_secretsmanager_secret.secret.name_prefix == "mlflow-test-database-admin-" && aws_secretsmanager_secret.secret.kms_key_id == var.kms_key_arn
    error_message = "a name that is free again at once, and the given key"
  }

  assert {
    condition     = aws_secretsmanager_secret_version.secret.secret_string == null && aws_secretsmanager_secret_version.secret.secret_string_wo_version == 1
    error_message = "the password goes through secret_string_wo alone"
  }
}

run "name_with_capitals" {
  command = plan

  variables {
    name = "MLflow"
  }

  expect_failures = [var.name]
}

run "password_version_zero" {
  command = plan

  variables {
    password_version = 0
  }

  expect_failures = [var.password_version]
}
