# One run per rule: what is wrong is refused by the plan, before anything is made.

mock_provider "aws" {}

variables {
  name = "mlflow-test"
}

run "name_with_a_hyphen_at_its_end" {
  command = plan
  variables {
    name = "mlflow-"
  }
  expect_failures = [var.name]
}

run "artifacts_by_bucket_name" {
  command = plan
  variables {
    artifact_bucket_arn = "our-artifacts"
  }
  expect_failures = [var.artifact_bucket_arn]
}

run "registry_by_path" {
  command = plan
  variables {
    registry_bucket_arn = "arn:aws:s3:::ours/ledger"
  }
  expect_failures = [var.registry_bucket_arn]
}

run "one_bucket_for_both" {
  command = plan
  variables {
    artifact_bucket_arn = "arn:aws:s3:::ours"
    registry_bucket_arn = "arn:aws:s3:::ours"
  }
  expect_failures = [var.registry_bucket_arn]
}

run "alias_instead_of_key" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/ours"
  }
  expect_failures = [var.kms_key_arn]
}

run "parameter_without_slash" {
  command = plan
  variables {
    parameter = "mlflowctl/prod"
  }
  expect_failures = [var.parameter]
}

run "login_of_an_unknown_role" {
  command = plan
  variables {
    login_secrets = { admin = [] }
  }
  expect_failures = [var.login_secrets]
}

run "login_of_any_secret" {
  command = plan
  variables {
    login_secrets = { reader = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:*"] }
  }
  expect_failures = [var.login_secrets]
}

run "login_key_by_alias" {
  command = plan
  variables {
    login_secrets_kms_key_arn = "alias/ours"
  }
  expect_failures = [var.login_secrets_kms_key_arn]
}

run "path_without_slash" {
  command = plan
  variables {
    iam_path = "administration"
  }
  expect_failures = [var.iam_path]
}

run "deployer_without_tags" {
  command = plan
  variables {
    deployer = {
      tags                     = {}
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
    }
  }
  expect_failures = [var.deployer]
}

run "deployer_without_boundary" {
  command = plan
  variables {
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "none"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
    }
  }
  expect_failures = [var.deployer]
}

run "deployer_of_any_state" {
  command = plan
  variables {
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::*"
      state_prefix             = "environments/test/"
    }
  }
  expect_failures = [var.deployer]
}

run "deployer_of_all_environments" {
  command = plan
  variables {
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = ""
    }
  }
  expect_failures = [var.deployer]
}

run "deployer_path_without_slash" {
  command = plan
  variables {
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
      iam_path                 = "mlflow"
    }
  }
  expect_failures = [var.deployer]
}

run "deployer_zone_by_name" {
  command = plan
  variables {
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
      zone_ids                 = ["example.com"]
    }
  }
  expect_failures = [var.deployer]
}

run "deployer_of_every_key" {
  command = plan
  variables {
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
      kms_key_arns             = ["arn:aws:kms:eu-central-1:123456789012:key/*"]
    }
  }
  expect_failures = [var.deployer]
}

run "deployer_vpc_by_name" {
  command = plan
  variables {
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
      vpc_ids                  = ["main"]
    }
  }
  expect_failures = [var.deployer]
}
