mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
  mock_data "aws_vpc" {
    defaults = {
      id                      = "vpc-0123456789abcdef0"
      enable_dns_support      = true
      enable_dns_hostnames    = true
      cidr_block_associations = [{ association_id = "a", cidr_block = "10.9.0.0/16", state = "associated" }]
    }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/mlflowctl/mlflow-test/flow-logs" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mlflow-test-flow-logs" }
  }
}

variables {
  name               = "mlflow-test"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
}

run "two_zones_one_nat" {
  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.20.0.0/20", "10.20.16.0/20"]
    error_message = "Private subnets take the first parts of the range."
  }
  assert {
    condition     = [for subnet in aws_subnet.public : subnet.cidr_block] == ["10.20.128.0/20", "10.20.144.0/20"]
    error_message = "Public subnets take the parts from the middle on."
  }
  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && length(aws_route.nat) == 2
    error_message = "One NAT gateway serves both zones."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !coalesce(subnet.map_public_ip_on_launch, false)])
    error_message = "Nothing gets a public address by itself."
  }
  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_security_group.endpoints) == 0 && length(aws_vpc_endpoint.s3) == 1
    error_message = "S3 has its gateway endpoint; others are made only when asked for."
  }
  assert {
    condition     = length(aws_flow_log.this) == 1 && aws_cloudwatch_log_group.flow_logs[0].retention_in_days == 365
    error_message = "Flow logs are kept for a year."
  }
  assert {
    condition     = aws_cloudwatch_log_group.flow_logs[0].kms_key_id == aws_kms_key.flow_logs[0].arn
    error_message = "Flow logs are encrypted with a key of ours."
  }
  assert {
    condition     = length(output.private_subnet_ids) == 2 && length(output.public_subnet_ids) == 2 && tolist(output.vpc_cidr_blocks) == tolist(["10.20.0.0/16"])
    error_message = "The outputs name the subnets and the range."
  }
}

run "the_default_security_group_is_closed" {
  assert {
    condition     = length(coalesce(aws_default_security_group.closed[0].ingress, [])) == 0 && length(coalesce(aws_default_security_group.closed[0].egress, [])) == 0
    error_message = "The default security group lets nothing in or out."
  }
}

run "nat_per_zone" {
  variables {
    nat                = "per-zone"
    availability_zones = ["eu-central-1c", "eu-central-1a", "eu-central-1b"]
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(output.nat_public_ips) == 3
    error_message = "Each zone has a NAT gateway."
  }
  assert {
    condition     = aws_route.nat["eu-central-1b"].nat_gateway_id == aws_nat_gateway.this["eu-central-1b"].id
    error_message = "Each zone goes out through its own NAT gateway."
  }
  assert {
    condition     = aws_subnet.private["eu-central-1c"].cidr_block == "10.20.0.0/20"
    error_message = "A zone's place in the list decides its addresses, not the alphabet."
  }
}

run "no_nat_but_endpoints" {
  variables {
    nat                 = "none"
    interface_endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"]
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_eip.nat) == 0 && length(aws_route.nat) == 0
    error_message = "There is no way into the internet."
  }
  assert {
    condition     = aws_vpc_endpoint.interface["ecr.api"].service_name == "com.amazonaws.eu-central-1.ecr.api" && length(aws_vpc_endpoint.interface) == 4
    error_message = "Each endpoint has the full name of its service."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.20.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443
    error_message = "Endpoints answer https from inside the VPC only."
  }
}

run "without_flow_logs" {
  variables {
    flow_logs_retention_days = 0
  }
  assert {
    condition     = length(aws_flow_log.this) + length(aws_cloudwatch_log_group.flow_logs) + length(aws_kms_key.flow_logs) + length(aws_iam_role.flow_logs) == 0
    error_message = "Nothing of the flow logs is made."
  }
}

run "a_key_a_path_and_a_boundary_of_yours" {
  variables {
    create_kms_key           = false
    kms_key_arn              = "arn:aws:kms:eu-central-1:123456789012:key/yours"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    iam_path                 = "/mlflow/"
  }
  assert {
    condition     = length(aws_kms_key.flow_logs) == 0 && aws_cloudwatch_log_group.flow_logs[0].kms_key_id == var.kms_key_arn
    error_message = "Your key is used."
  }
  assert {
    condition     = aws_iam_role.flow_logs[0].permissions_boundary == var.permissions_boundary_arn && aws_iam_role.flow_logs[0].path == "/mlflow/"
    error_message = "The role has the boundary and the path."
  }
}

run "an_existing_network_is_only_looked_at" {
  variables {
    availability_zones = []
    existing = {
      vpc_id             = "vpc-0123456789abcdef0"
      private_subnet_ids = ["subnet-0a", "subnet-0b"]
    }
  }
  override_data {
    target = data.aws_subnet.private["0"]
    values = { vpc_id = "vpc-0123456789abcdef0", availability_zone = "eu-central-1a" }
  }
  override_data {
    target = data.aws_subnet.private["1"]
    values = { vpc_id = "vpc-0123456789abcdef0", availability_zone = "eu-central-1b" }
  }
  assert {
    condition     = length(aws_vpc.this) + length(aws_subnet.private) + length(aws_vpc_endpoint.s3) + length(aws_flow_log.this) == 0
    error_message = "Nothing is made in an existing network."
  }
  assert {
    condition     = output.vpc_id == "vpc-0123456789abcdef0" && tolist(output.private_subnet_ids) == tolist(["subnet-0a", "subnet-0b"]) && tolist(output.vpc_cidr_blocks) == tolist(["10.9.0.0/16"]) && output.flow_log_group == null
    error_message = "The outputs describe the existing network."
  }
}
