output "vpc_id" {
  description = "The VPC."
  value       = local.create ? aws_vpc.this[0].id : data.aws_vpc.existing[0].id
}

output "vpc_cidr_blocks" {
  description = "All IPv4 ranges of the VPC."
  value       = local.create ? [aws_vpc.this[0].cidr_block] : data.aws_vpc.existing[0].cidr_block_associations[*].cidr_block
}

output "private_subnet_ids" {
  description = "Private subnets, one per zone; there once their way out is there, so that no task starts before."
  value       = local.create ? [for zone in var.availability_zones : aws_subnet.private[zone].id] : var.existing.private_subnet_ids

  depends_on = [
    aws_route.nat,
    aws_route_table_association.private,
    aws_vpc_endpoint.s3,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_ingress_rule.endpoints,
  ]

  precondition {
    condition     = local.create || length(local.existing_private_zones) >= 2
    error_message = "existing.private_subnet_ids all lie in one zone, ${join(", ", local.existing_private_zones)}: name subnets in two zones at least."
  }
}

output "public_subnet_ids" {
  description = "Public subnets, one per zone; they hold an internet-facing load balancer and nothing else of ours."
  value       = local.create ? [for zone in var.availability_zones : aws_subnet.public[zone].id] : var.existing.public_subnet_ids

  depends_on = [aws_route.internet, aws_route_table_association.public]

  precondition {
    condition     = local.create || length(local.existing_public_zones) != 1
    error_message = "existing.public_subnet_ids all lie in one zone, ${join(", ", local.existing_public_zones)}: name subnets in two zones, or none."
  }
}

output "nat_public_ips" {
  description = "Addresses under which tasks appear in the internet, for allow lists elsewhere."
  value       = [for zone in var.availability_zones : aws_eip.nat[zone].public_ip if contains(keys(local.nats), zone)]
}

output "flow_log_group" {
  description = "Log group of the flow logs; null without them."
  value       = local.flow_logs ? aws_cloudwatch_log_group.flow_logs[0].name : null
}
