# One run per rule: what is wrong is refused by the plan, before anything is made.

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

run "name_with_capitals" {
  command = plan
  variables {
    name = "MLflow"
  }
  expect_failures = [var.name]
}

run "cidr_is_no_range" {
  command = plan
  variables {
    cidr = "10.20.0.0"
  }
  expect_failures = [var.cidr]
}

run "cidr_is_ipv6" {
  command = plan
  variables {
    cidr = "fd00::/16"
  }
  expect_failures = [var.cidr]
}

run "cidr_has_host_bits" {
  command = plan
  variables {
    cidr = "10.20.0.1/16"
  }
  expect_failures = [var.cidr]
}

run "cidr_is_too_small" {
  command = plan
  variables {
    cidr = "10.20.0.0/23"
  }
  expect_failures = [var.cidr]
}

run "cidr_is_too_large" {
  command = plan
  variables {
    cidr = "10.0.0.0/15"
  }
  expect_failures = [var.cidr]
}

run "cidr_is_public" {
  command = plan
  variables {
    cidr = "8.8.0.0/16"
  }
  expect_failures = [var.cidr]
}

run "one_zone_only" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a"]
  }
  expect_failures = [var.availability_zones]
}

run "no_zone_at_all" {
  command = plan
  variables {
    availability_zones = []
  }
  expect_failures = [var.availability_zones]
}

run "more_zones_than_there_is_room_for" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d", "eu-central-1e", "eu-central-1f", "eu-central-1g"]
  }
  expect_failures = [var.availability_zones]
}

run "a_zone_twice" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1a"]
  }
  expect_failures = [var.availability_zones]
}

run "zones_without_their_region" {
  command = plan
  variables {
    availability_zones = ["a", "b"]
  }
  expect_failures = [var.availability_zones]
}

run "a_zone_of_another_region" {
  command = plan
  variables {
    availability_zones = ["eu-central-1a", "eu-west-1b"]
  }
  expect_failures = [aws_vpc.this]
}

run "nat_in_other_words" {
  command = plan
  variables {
    nat = "two"
  }
  expect_failures = [var.nat]
}

run "no_nat_and_no_endpoints" {
  command = plan
  variables {
    nat                 = "none"
    interface_endpoints = ["logs"]
  }
  expect_failures = [var.nat]
}

run "endpoint_by_its_full_name" {
  command = plan
  variables {
    interface_endpoints = ["com.amazonaws.eu-central-1.logs"]
  }
  expect_failures = [var.interface_endpoints]
}

run "endpoint_with_a_space" {
  command = plan
  variables {
    interface_endpoints = ["ecr api"]
  }
  expect_failures = [var.interface_endpoints]
}

run "endpoint_of_s3" {
  command = plan
  variables {
    interface_endpoints = ["s3"]
  }
  expect_failures = [var.interface_endpoints]
}

run "retention_that_cloudwatch_does_not_know" {
  command = plan
  variables {
    flow_logs_retention_days = 100
  }
  expect_failures = [var.flow_logs_retention_days]
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
    kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:alias/yours"
  }
  expect_failures = [var.kms_key_arn]
}

run "boundary_by_name" {
  command = plan
  variables {
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}

run "path_without_slash" {
  command = plan
  variables {
    iam_path = "mlflow"
  }
  expect_failures = [var.iam_path]
}

run "existing_vpc_by_name" {
  command = plan
  variables {
    existing = { vpc_id = "main", private_subnet_ids = ["subnet-0a", "subnet-0b"] }
  }
  expect_failures = [var.existing]
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
