# One run per validation: wrong input is refused by the plan, before anything is made.
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
  values = { instance_identifiers = ["mlflow-test"] }
}

override_data {
  target = data.aws_db_instance.current
  values = { engine_version = "19.2" }
}

variables {
  name           = "mlflow-test"
  vpc_id         = "vpc-0123456789abcdef0"
  subnet_ids     = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  engine_version = "19"
}

run "right_input_passes" {
  command = plan
}

run "name_with_capitals" {
  command = plan

  variables {
    name = "MLflow"
  }

  expect_failures = [var.name]
}

run "name_that_ends_with_a_hyphen" {
  command = plan

  variables {
    name = "mlflow-"
  }

  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "mlflow-with-a-name-that-is-too-long"
  }

  expect_failures = [var.name]
}

run "no_vpc" {
  command = plan

  variables {
    vpc_id = null
  }

  expect_failures = [var.vpc_id]
}

run "one_zone_only" {
  command = plan

  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.subnet_ids]
}

run "existing_with_scheme" {
  command = plan

  variables {
    existing = {
      host              = "postgresql://x"
      security_group_id = "sg-0123456789abcdef0"
      admin_secret_arn  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3"
    }
  }

  expect_failures = [var.existing]
}

run "existing_secret_is_no_arn" {
  command = plan

  variables {
    existing = {
      host              = "postgres.example.com"
      security_group_id = "sg-0123456789abcdef0"
      admin_secret_arn  = "postgres"
    }
  }

  expect_failures = [var.existing]
}

run "database_name_with_hyphen" {
  command = plan

  variables {
    database_name = "ml-flow"
  }

  expect_failures = [var.database_name]
}

run "postgresql_14" {
  command = plan

  variables {
    engine_version = "14"
  }

  expect_failures = [var.engine_version]
}

run "postgresql_17" {
  command = plan

  variables {
    engine_version = "17.6"
  }

  expect_failures = [var.engine_version]
}

run "version_in_words" {
  command = plan

  variables {
    engine_version = "latest"
  }

  expect_failures = [var.engine_version]
}

run "major_downgrade_of_what_runs" {
  command = plan

  variables {
    engine_version = "18"
  }

  expect_failures = [aws_db_instance.database["main"]]
}

run "major_upgrade_without_leave" {
  command = plan

  variables {
    engine_version = "20"
  }

  expect_failures = [aws_db_instance.database["main"]]
}

run "instance_class_of_ec2" {
  command = plan

  variables {
    instance_class = "t4g.medium"
  }

  expect_failures = [var.instance_class]
}

run "too_little_storage" {
  command = plan

  variables {
    allocated_storage = 5
  }

  expect_failures = [var.allocated_storage]
}

run "storage_that_cannot_grow" {
  command = plan

  variables {
    allocated_storage     = 100
    max_allocated_storage = 105
  }

  expect_failures = [var.max_allocated_storage]
}

run "too_few_connections" {
  command = plan

  variables {
    max_connections = 20
  }

  expect_failures = [var.max_connections]
}

run "no_backups" {
  command = plan

  variables {
    backup_retention_days = 0
  }

  expect_failures = [var.backup_retention_days]
}

run "backup_window_in_words" {
  command = plan

  variables {
    backup_window = "at night"
  }

  expect_failures = [var.backup_window]
}

run "maintenance_window_without_day" {
  command = plan

  variables {
    maintenance_window = "03:30-04:30"
  }

  expect_failures = [var.maintenance_window]
}

run "odd_monitoring_interval" {
  command = plan

  variables {
    monitoring_interval = 7
  }

  expect_failures = [var.monitoring_interval]
}

run "odd_log_retention" {
  command = plan

  variables {
    log_retention_days = 100
  }

  expect_failures = [var.log_retention_days]
}

run "password_version_zero" {
  command = plan

  variables {
    password_version = 0
  }

  expect_failures = [var.password_version]
}

run "unprotected_without_the_danger_flag" {
  command = plan

  variables {
    deletion_protection = false
  }

  expect_failures = [var.deletion_protection]
}

run "no_instances" {
  command = plan

  variables {
    instances = {}
  }

  expect_failures = [var.instances]
}

run "restored_without_a_time" {
  command = plan

  variables {
    instances = { main = {}, r1 = { restore_from = "main" } }
  }

  expect_failures = [var.instances]
}

run "restored_at_no_time" {
  command = plan

  variables {
    instances = { main = {}, r1 = { restore_from = "main", restore_time = "yesterday" } }
  }

  expect_failures = [var.instances]
}

run "instance_with_odd_key" {
  command = plan

  variables {
    instances = { "main" = {}, "R-1" = {} }
  }

  expect_failures = [var.instances]
}

run "serving_nobody" {
  command = plan

  variables {
    serving = "r1"
  }

  expect_failures = [var.serving]
}

run "key_without_saying_so" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  expect_failures = [var.create_kms_key]
}

run "no_key_at_all" {
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
    kms_key_arn    = "alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "path_without_slash" {
  command = plan

  variables {
    iam_path = "mlflow"
  }

  expect_failures = [var.iam_path]
}

run "boundary_is_no_policy" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}
