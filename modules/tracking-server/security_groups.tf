# Who reaches whom, one rule each: the allowed ranges the load balancer, only the load balancer the server,
# only the server the database.

locals {
  clients = length(var.allowed_cidr_blocks) > 0 ? var.allowed_cidr_blocks : var.vpc_cidr_blocks
  entries = local.own_load_balancer ? {
    for pair in setproduct(local.clients, var.danger_plain_http ? [80] : [80, 443]) : "${pair[0]} ${pair[1]}" => { cidr = pair[0], port = pair[1] }
  } : {}
  load_balancer_security_group_id = local.own_load_balancer ? aws_security_group.load_balancer[0].id : var.existing_load_balancer.security_group_id
}

resource "aws_security_group" "load_balancer" {
  count = local.own_load_balancer ? 1 : 0

  name_prefix = "${var.name}-load-balancer-"
  description = "Load balancer of ${var.name}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer_from_clients" {
  for_each = local.entries

  security_group_id = aws_security_group.load_balancer[0].id
  description       = each.value.port == 443 || var.danger_plain_http ? "Clients" : "Clients, redirected to HTTPS"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_to_server" {
  security_group_id            = local.load_balancer_security_group_id
  description                  = "MLflow server of ${var.name}"
  referenced_security_group_id = aws_security_group.server.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_security_group" "server" {
  name_prefix = "${var.name}-server-"
  description = "MLflow server of ${var.name}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "server_from_load_balancer" {
  security_group_id            = aws_security_group.server.id
  description                  = "Load balancer"
  referenced_security_group_id = local.load_balancer_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "server_to_aws" {
  security_group_id = aws_security_group.server.id
  description       = "S3, ECR, Secrets Manager, CloudWatch Logs"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "server_to_database" {
  security_group_id            = aws_security_group.server.id
  description                  = "PostgreSQL"
  referenced_security_group_id = var.database.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.database.port
  to_port                      = var.database.port
}

resource "aws_vpc_security_group_ingress_rule" "database_from_server" {
  security_group_id            = var.database.security_group_id
  description                  = "MLflow server of ${var.name}"
  referenced_security_group_id = aws_security_group.server.id
  ip_protocol                  = "tcp"
  from_port                    = var.database.port
  to_port                      = var.database.port
}
