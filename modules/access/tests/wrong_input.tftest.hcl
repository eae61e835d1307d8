# Wrong input is refused by the plan, before anything is made. A run breaks as many rules as do not look at one
# another, each of another variable: to start a run takes longer than to find out.

mock_provider "aws" {}

variables {
  name = "mlflow-test"
}

run "wrong_together_one" {
  command = plan

  variables {
    name                      = "mlflow-"                                                                      # name with a hyphen at its end
    artifact_bucket_arn       = "our-artifacts"                                                                # artifacts by bucket name
    kms_key_arn               = "arn:aws:kms:eu-central-1:123456789012:alias/ours"                             # alias instead of key
    parameter                 = "mlflowctl/prod"                                                               # parameter without slash
    traffic_rule_arns         = ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/*"] # traffic of every rule
    login_secrets             = { admin = [] }                                                                 # login of an unknown role
    login_secrets_kms_key_arn = "alias/ours"                                                                   # login key by alias
    iam_path                  = "administration"                                                               # path without slash
    # deployer without tags
    deployer = {
      tags                     = {}
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
    }
  }

  expect_failures = [
    var.name,
    var.artifact_bucket_arn,
    var.kms_key_arn,
    var.parameter,
    var.traffic_rule_arns,
    var.login_secrets,
    var.login_secrets_kms_key_arn,
    var.iam_path,
    var.deployer,
  ]
}

run "wrong_together_two" {
  command = plan

  variables {
    registry_bucket_arn = "arn:aws:s3:::ours/ledger"                                                 # registry by path
    login_secrets       = { reader = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:*"] } # login of any secret
    # deployer without boundary
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "none"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
    }
  }

  expect_failures = [
    var.registry_bucket_arn,
    var.login_secrets,
    var.deployer,
  ]
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

run "one_bucket_for_both" {
  command = plan
  variables {
    artifact_bucket_arn = "arn:aws:s3:::ours"
    registry_bucket_arn = "arn:aws:s3:::ours"
  }
  expect_failures = [var.registry_bucket_arn]
}
