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

run "wrong_together_one" {
  command = plan

  variables {
    name             = "MLflow" # name with capitals
    password_version = 0        # password version zero
  }

  expect_failures = [
    var.name,
    var.password_version,
  ]
}
