# A VPC of our own, or the one that is there: its outputs are the same.
# Private subnets hold tasks and database, public ones only an internet-facing load balancer and NAT gateways.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

# Those of the named zones that there are, in any state: while one is in trouble, plans must still work.
data "aws_availability_zones" "here" {
  count = local.create ? 1 : 0

  filter {
    name   = "zone-name"
    values = var.availability_zones
  }
}

locals {
  create = var.existing == null
  region = data.aws_region.current.id

  # Zone → its place, which decides its addresses.
  zones = local.create ? { for place, zone in var.availability_zones : zone => place } : {}

  # Zones with a NAT gateway; the one stays in the first zone when others are appended.
  nats = {
    for zone, place in local.zones : zone => place
    if var.nat == "per-zone" || (var.nat == "one" && place == 0)
  }
}

resource "aws_vpc" "this" {
  count = local.create ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # interface endpoints answer under the services' own names

  tags = { Name = var.name }

  lifecycle {
    precondition {
      condition     = length(setsubtract(var.availability_zones, data.aws_availability_zones.here[0].names)) == 0
      error_message = "availability_zones: there is no ${join(", ", setsubtract(var.availability_zones, data.aws_availability_zones.here[0].names))} in ${local.region}, or not at present. Nothing was changed. `aws ec2 describe-availability-zones` lists them."
    }
  }
}

# Whoever forgets to name a security group gets this one: it lets nothing in and nothing out.
resource "aws_default_security_group" "closed" {
  count = local.create ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, 8 + each.value)

  tags = { Name = "${var.name}-public-${each.key}" }
}
