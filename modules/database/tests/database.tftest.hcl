# Plans with the real provider, offline: `mock_provider` knows no ephemeral resources (Terraform 1.11). What
# would ask AWS is overridden; what only AWS knows stays unknown in these plans and is tried on the emulator.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = data.aws_db_instances.current
  values = { instance_identifiers = [] }
}

override_resource {
  target          = aws_kms_key.database
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
}

variables {
  name       = "mlflow-test"
  vpc_id     = "vpc-0123456789abcdef0"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
}

run "safe_by_default" {
  command = plan

  assert {
    condition = alltrue([
      aws_db_instance.database["main"].multi_az,
      aws_db_instance.database["main"].storage_encrypted,
      aws_db_instance.database["main"].deletion_protection,
      aws_db_instance.database["main"].performance_insights_enabled,
      aws_db_instance.database["main"].copy_tags_to_snapshot,
      !aws_db_instance.database["main"].publicly_accessible,
      !aws_db_instance.database["main"].skip_final_snapshot,
      !aws_db_instance.database["main"].delete_automated_backups,
    ])
    error_message = "the defaults are not the safe ones"
  }

  assert {
    condition     = aws_db_instance.database["main"].backup_retention_period == 7 && aws_db_instance.database["main"].max_allocated_storage == 200
    error_message = "point-in-time recovery and storage autoscaling are on"
  }

  assert {
    condition     = aws_db_instance.database["main"].engine_lifecycle_support == "open-source-rds-extended-support-disabled"
    error_message = "extended support is off"
  }

  assert {
    condition     = aws_db_instance.database["main"].kms_key_id == aws_kms_key.database[0].arn && aws_kms_key.database[0].enable_key_rotation
    error_message = "a key of its own, which rotates"
  }
}

run "passwords_are_write_only" {
  command = plan

  assert {
    condition     = aws_db_instance.database["main"].password == null && aws_db_instance.database["main"].manage_master_user_password == null
    error_message = "the password goes through password_wo alone"
  }

  assert {
    condition     = keys(module.secret) == ["admin", "app"] && aws_db_instance.database["main"].username == "mlflowctl_admin"
    error_message = "one secret for each of the two roles"
  }
}

run "version_of_the_password" {
  command = plan

  variables {
    password_version = 3
  }

  assert {
    condition     = aws_db_instance.database["main"].password_wo_version == 3 && output.password_version == 3
    error_message = "password_version reaches the instance, and is handed on to the server"
  }
}

run "parameters_as_locally" {
  command = plan

  assert {
    condition = { for one in aws_db_parameter_group.database[0].parameter : one.name => one.value } == {
      "rds.force_ssl"              = "1"
      "password_encryption"        = "scram-sha-256"
      "max_connections"            = "400"
      "log_statement"              = "none"
      "log_min_duration_statement" = "2000"
      "timezone"                   = "UTC"
    }
    error_message = "parameters differ"
  }

  assert {
    condition     = aws_db_parameter_group.database[0].family == "postgres18"
    error_message = "the family follows the major version"
  }
}

run "major_version_keeps_itself_fresh" {
  command = plan

  assert {
    condition     = aws_db_instance.database["main"].engine_version == "18" && aws_db_instance.database["main"].auto_minor_version_upgrade
    error_message = "with a major version alone RDS patches"
  }
}

run "exact_version_stays" {
  command = plan

  variables {
    engine_version = "18.1"
  }

  assert {
    condition     = !aws_db_instance.database["main"].auto_minor_version_upgrade
    error_message = "an exact version must not drift"
  }
}

run "nobody_gets_in_until_the_server_does" {
  command = plan

  assert {
    condition     = length(aws_security_group.database) == 1 && aws_security_group.database[0].vpc_id == "vpc-0123456789abcdef0"
    error_message = "a group of its own, without rules"
  }
}

run "logs_are_kept_and_encrypted" {
  command = plan

  assert {
    condition     = toset([for one in values(aws_cloudwatch_log_group.database) : one.name]) == toset(["/aws/rds/instance/mlflow-test/postgresql", "/aws/rds/instance/mlflow-test/upgrade"])
    error_message = "RDS would make other log groups itself"
  }

  assert {
    condition     = alltrue([for one in values(aws_cloudwatch_log_group.database) : one.retention_in_days == 365 && one.kms_key_id == aws_kms_key.database[0].arn])
    error_message = "retention and key"
  }
}

run "restored_beside_the_old_one" {
  command = plan

  variables {
    instances = {
      main = {}
      r1   = { restore_from = "main", restore_time = "2026-11-24T03:00:00Z" }
    }
  }

  assert {
    condition = (
      aws_db_instance.database["r1"].identifier == "mlflow-test-r1" &&
      aws_db_instance.database["r1"].restore_to_point_in_time[0].source_db_instance_identifier == "mlflow-test" &&
      length(aws_db_instance.database["main"].restore_to_point_in_time) == 0
    )
    error_message = "the restored instance stands beside its source"
  }

  assert {
    condition     = output.instance_identifier == "mlflow-test"
    error_message = "the old one serves until serving says otherwise"
  }
}

run "switched_by_name" {
  command = plan

  variables {
    instances = {
      main = {}
      r1   = { restore_from = "main", restore_time = "2026-11-24T03:00:00Z" }
    }
    serving = "r1"
  }

  assert {
    condition     = output.instance_identifier == "mlflow-test-r1"
    error_message = "the outputs describe the serving instance"
  }
}

run "unprotected_only_if_said_twice" {
  command = plan

  variables {
    deletion_protection        = false
    danger_allow_unprotected   = true
    danger_skip_final_snapshot = true
  }

  assert {
    condition     = !aws_db_instance.database["main"].deletion_protection && aws_db_instance.database["main"].skip_final_snapshot
    error_message = "both danger flags take effect"
  }
}

run "given_key" {
  command = plan

  variables {
    create_kms_key = false
    kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  assert {
    condition     = length(aws_kms_key.database) == 0 && aws_db_instance.database["main"].kms_key_id == "arn:aws:kms:eu-central-1:123456789012:key/1"
    error_message = "no key is made"
  }
}

run "bounded_role" {
  command = plan

  variables {
    iam_path                 = "/mlflow/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = aws_iam_role.monitoring[0].path == "/mlflow/" && aws_iam_role.monitoring[0].permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "path and boundary reach the role"
  }
}

run "existing_with_both_secrets" {
  command = plan

  variables {
    vpc_id     = null
    subnet_ids = []
    existing = {
      host                = "postgres.internal.example.com"
      security_group_id   = "sg-0123456789abcdef0"
      admin_secret_arn    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3:password::"
      app_secret_arn      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-d4e5f6"
      instance_identifier = "postgres"
      password_version    = 4
    }
  }

  assert {
    condition     = length(aws_db_instance.database) + length(aws_security_group.database) + length(aws_kms_key.database) + length(module.secret) == 0
    error_message = "nothing is made"
  }

  assert {
    condition     = output.host == "postgres.internal.example.com" && output.port == 5432 && output.name == "mlflow" && output.password_version == 4 && output.instance_identifier == "postgres"
    error_message = "the outputs are those that were given"
  }
}

run "existing_without_secret_of_the_app" {
  command = plan

  variables {
    existing = {
      host              = "postgres.internal.example.com"
      security_group_id = "sg-0123456789abcdef0"
      admin_secret_arn  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3"
    }
  }

  assert {
    condition     = length(aws_db_instance.database) == 0 && keys(module.secret) == ["app"]
    error_message = "only the missing secret is made"
  }
}
