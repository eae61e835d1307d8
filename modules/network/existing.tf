# A network that is there already is only looked at, so that a mistake shows in the plan.

data "aws_vpc" "existing" {
  count = local.create ? 0 : 1

  id = var.existing.vpc_id

  lifecycle {
    postcondition {
      condition     = self.enable_dns_support && self.enable_dns_hostnames
      error_message = "existing.vpc_id: ${self.id} resolves no names; switch on DNS support and DNS hostnames."
    }
  }
}

data "aws_subnet" "private" {
  for_each = local.create ? {} : { for place, id in var.existing.private_subnet_ids : place => id }

  id = each.value

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.existing.vpc_id
      error_message = "existing.private_subnet_ids: ${self.id} is in ${self.vpc_id}, not in ${var.existing.vpc_id}."
    }
  }
}

data "aws_subnet" "public" {
  for_each = local.create ? {} : { for place, id in var.existing.public_subnet_ids : place => id }

  id = each.value

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.existing.vpc_id
      error_message = "existing.public_subnet_ids: ${self.id} is in ${self.vpc_id}, not in ${var.existing.vpc_id}."
    }
  }
}

locals {
  existing_private_zones = distinct([for subnet in data.aws_subnet.private : subnet.availability_zone])
  existing_public_zones  = distinct([for subnet in data.aws_subnet.public : subnet.availability_zone])
}
