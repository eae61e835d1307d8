# Wrong input is refused by the plan, before anything is made. A run breaks as many rules as do not look at one
# another, each of another variable: to start a run takes longer than to find out.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_data "aws_vpc" {
    defaults = {
      id                      = "vpc-0123456789abcdef0"
      enable_dns_support      = true
      enable_dns_hostnames    = true
      cidr_block_associations = [{ association_id = "a", cidr_block = "10.9.0.0/16", state = "associated" }]
    }
  }
  mock_data "aws_subnet" {
    defaults = { vpc_id = "vpc-0123456789abcdef0", availability_zone = "eu-central-1a" }
  }
}

variables {
  name               = "mlflow-test"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
}

run "wrong_together_one" {
  command = plan

  variables {
    name                     = "MLflow"          # name with capitals
    cidr                     = "10.20.0.0"       # cidr is no range
    availability_zones       = ["eu-central-1a"] # one zone only
    nat                      = "two"             # nat in other words
    flow_logs_retention_days = 100               # retention that cloudwatch does not know
    permissions_boundary_arn = "boundary"        # boundary by name
    iam_path                 = "mlflow"          # path without slash
  }

  expect_failures = [
    var.name,
    var.cidr,
    var.availability_zones,
    var.nat,
    var.flow_logs_retention_days,
    var.permissions_boundary_arn,
    var.iam_path,
  ]
}

run "wrong_together_two" {
  command = plan

  variables {
    cidr                = "fd00::/16"                         # cidr is ipv6
    availability_zones  = []                                  # no zone at all
    interface_endpoints = ["com.amazonaws.eu-central-1.logs"] # endpoint by its full name
    create_kms_key      = false                               # no key
  }

  expect_failures = [
    var.cidr,
    var.availability_zones,
    var.interface_endpoints,
    var.create_kms_key,
  ]
}

run "wrong_together_three" {
  command = plan

  variables {
    cidr                = "10.20.0.1/16"                                                                                                          # cidr has host bits
    availability_zones  = ["eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d", "eu-central-1e", "eu-central-1f", "eu-central-1g"] # more zones than there is room for
    interface_endpoints = ["ecr api"]                                                                                                             # endpoint with a space
  }

  expect_failures = [
    var.cidr,
    var.availability_zones,
    var.interface_endpoints,
  ]
}

run "wrong_together_four" {
  command = plan

  variables {
    cidr                = "10.20.0.0/23"                                      # cidr is too small
    availability_zones  = ["eu-central-1a", "eu-central-1b", "eu-central-1a"] # a zone twice
    interface_endpoints = ["s3"]                                              # endpoint of s3
  }

  expect_failures = [
    var.cidr,
    var.availability_zones,
    var.interface_endpoints,
  ]
}

run "wrong_together_five" {
  command = plan

  variables {
    cidr               = "10.0.0.0/15" # cidr is too large
    availability_zones = ["a", "b"]    # zones without their region
  }

  expect_failures = [
    var.cidr,
    var.availability_zones,
  ]
}

run "wrong_together_six" {
  command = plan

  variables {
    cidr     = "8.8.0.0/16"                                                         # cidr is public
    existing = { vpc_id = "main", private_subnet_ids = ["subnet-0a", "subnet-0b"] } # existing vpc by name
  }

  expect_failures = [
    var.cidr,
    var.existing,
  ]
}

run "existing_subnet_by_name" {
  command = plan

  variables {
    existing = { vpc_id = "vpc-0a", private_subnet_ids = ["subnet-0a", "private-b"] }
  }

  expect_failures = [var.existing]
}

run "existing_with_one_subnet" {
  command = plan

  variables {
    existing = { vpc_id = "vpc-0a", private_subnet_ids = ["subnet-0a"] }
  }

  expect_failures = [var.existing]
}

run "existing_with_one_public_subnet" {
  command = plan

  variables {
    existing = { vpc_id = "vpc-0a", private_subnet_ids = ["subnet-0a", "subnet-0b"], public_subnet_ids = ["subnet-0c"] }
  }

  expect_failures = [var.existing]
}

run "existing_subnet_private_and_public" {
  command = plan

  variables {
    existing = { vpc_id = "vpc-0a", private_subnet_ids = ["subnet-0a", "subnet-0b"], public_subnet_ids = ["subnet-0a", "subnet-0c"] }
  }

  expect_failures = [var.existing]
}

run "a_zone_of_another_region" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a", "eu-west-1b"]
  }
  expect_failures = [aws_vpc.this]
}

run "no_nat_and_no_endpoints" {
  command = plan
  variables {
    nat                 = "none"
    interface_endpoints = ["logs"]
  }
  expect_failures = [var.nat]
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
    kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:alias/yours"
  }
  expect_failures = [var.kms_key_arn]
}

run "existing_subnet_of_another_vpc" {
  command = plan
  variables {
    existing = { vpc_id = "vpc-0a", private_subnet_ids = ["subnet-0a", "subnet-0b"] }
  }
  expect_failures = [data.aws_subnet.private["0"], data.aws_subnet.private["1"]]
}

run "existing_private_subnets_in_one_zone" {
  command = plan
  variables {
    existing = { vpc_id = "vpc-0123456789abcdef0", private_subnet_ids = ["subnet-0a", "subnet-0b"] }
  }
  expect_failures = [output.private_subnet_ids]
}

run "existing_public_subnets_in_one_zone" {
  command = plan
  variables {
    existing = { vpc_id = "vpc-0123456789abcdef0", private_subnet_ids = ["subnet-0a", "subnet-0b"], public_subnet_ids = ["subnet-0c", "subnet-0d"] }
  }
  expect_failures = [output.public_subnet_ids, output.private_subnet_ids]
}

run "existing_vpc_that_resolves_no_names" {
  command = plan
  variables {
    existing = { vpc_id = "vpc-0123456789abcdef0", private_subnet_ids = ["subnet-0a", "subnet-0b"] }
  }
  override_data {
    target = data.aws_vpc.existing[0]
    values = { enable_dns_support = true, enable_dns_hostnames = false }
  }
  override_data {
    target = data.aws_subnet.private["1"]
    values = { vpc_id = "vpc-0123456789abcdef0", availability_zone = "eu-central-1b" }
  }
  expect_failures = [data.aws_vpc.existing]
}
