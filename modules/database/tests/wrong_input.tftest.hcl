# Wrong input is refused by the plan, before anything is made. A run breaks as many rules as do not look at one
# another, each of another variable: to start a run takes longer than to find out.
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

run "wrong_together_one" {
  command = plan

  variables {
    name                     = "MLflow"                     # name with capitals
    vpc_id                   = null                         # no vpc
    subnet_ids               = ["subnet-0123456789abcdef0"] # one zone only
    database_name            = "ml-flow"                    # database name with hyphen
    engine_version           = "14"                         # postgresql 14
    instance_class           = "t4g.medium"                 # instance class of ec2
    allocated_storage        = 5                            # too little storage
    max_connections          = 20                           # too few connections
    backup_retention_days    = 0                            # no backups
    backup_window            = "at night"                   # backup window in words
    maintenance_window       = "03:30-04:30"                # maintenance window without day
    monitoring_interval      = 7                            # odd monitoring interval
    log_retention_days       = 100                          # odd log retention
    password_version         = 0                            # password version zero
    deletion_protection      = false                        # unprotected without the danger flag
    instances                = {}                           # no instances
    create_kms_key           = false                        # no key at all
    iam_path                 = "mlflow"                     # path without slash
    permissions_boundary_arn = "boundary"                   # boundary is no policy
  }

  expect_failures = [
    var.name,
    var.vpc_id,
    var.subnet_ids,
    var.database_name,
    var.engine_version,
    var.instance_class,
    var.allocated_storage,
    var.max_connections,
    var.backup_retention_days,
    var.backup_window,
    var.maintenance_window,
    var.monitoring_interval,
    var.log_retention_days,
    var.password_version,
    var.deletion_protection,
    var.instances,
    var.create_kms_key,
    var.iam_path,
    var.permissions_boundary_arn,
  ]
}

run "wrong_together_two" {
  command = plan

  variables {
    name = "mlflow-" # name that ends with a hyphen
    # existing with scheme
    existing = {
      host              = "postgresql://x"
      security_group_id = "sg-0123456789abcdef0"
      admin_secret_arn  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3"
    }
    engine_version = "17.6"                                        # postgresql 17
    instances      = { main = {}, r1 = { restore_from = "main" } } # restored without a time
  }

  expect_failures = [
    var.name,
    var.existing,
    var.engine_version,
    var.instances,
  ]
}

run "wrong_together_three" {
  command = plan

  variables {
    name = "mlflow-with-a-name-that-is-too-long" # name too long
    # existing secret is no arn
    existing = {
      host              = "postgres.example.com"
      security_group_id = "sg-0123456789abcdef0"
      admin_secret_arn  = "postgres"
    }
    engine_version = "latest"                                                                  # version in words
    instances      = { main = {}, r1 = { restore_from = "main", restore_time = "yesterday" } } # restored at no time
  }

  expect_failures = [
    var.name,
    var.existing,
    var.engine_version,
    var.instances,
  ]
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

run "storage_that_cannot_grow" {
  command = plan

  variables {
    allocated_storage     = 100
    max_allocated_storage = 105
  }

  expect_failures = [var.max_allocated_storage]
}

run "key_without_saying_so" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
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
