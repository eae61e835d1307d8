# Who reaches whom, one rule each: the allowed ranges the load balancer, only the load balancer the model servers;
# these the tracking server's load balancer and AWS. Nothing here leads to the database.

locals {
  clients = length(var.allowed_cidr_blocks) > 0 ? var.allowed_cidr_blocks : var.vpc_cidr_blocks
  entries = local.own_load_balancer ? {
    for pair in setproduct(local.clients, var.danger_plain_http ? [80] : [80, 443]) : "${pair[0]} ${pair[1]}" => { cidr = pair[0], port = pair[1] }
  } : {}
  load_balancer_security_group_id = local.own_load_balancer ? aws_security_group.load_balancer[0].id : var.existing_load_balancer.security_group_id
  tracking_port                   = startswith(var.tracking_server.url, "https://") ? 443 : 80
}

resource "aws_security_group" "load_balancer" {
  count = local.own_load_balancer ? 1 : 0

  name_prefix = "${local.full_name}-load-balancer-"
  description = "Load balancer of ${local.full_name}"
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

resource "aws_vpc_security_group_egress_rule" "load_balancer_to_model" {
  security_group_id            = local.load_balancer_security_group_id
  description                  = "Model servers of ${local.full_name}"
  referenced_security_group_id = aws_security_group.model.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_security_group" "model" {
  name_prefix = "${local.full_name}-model-"
  description = "Model servers of ${local.full_name}"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "model_from_load_balancer" {
  security_group_id            = aws_security_group.model.id
  description                  = "Load balancer"
  referenced_security_group_id = local.load_balancer_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "model_to_aws" {
  security_group_id = aws_security_group.model.id
  description       = "S3, ECR, Secrets Manager, CloudWatch Logs; packages of models"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "model_to_tracking_server" {
  security_group_id            = aws_security_group.model.id
  description                  = "MLflow"
  referenced_security_group_id = var.tracking_server.load_balancer_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.tracking_port
  to_port                      = local.tracking_port
}

resource "aws_vpc_security_group_ingress_rule" "tracking_server_from_model" {
  security_group_id            = var.tracking_server.load_balancer_security_group_id
  description                  = "Model servers of ${local.full_name}"
  referenced_security_group_id = aws_security_group.model.id
  ip_protocol                  = "tcp"
  from_port                    = local.tracking_port
  to_port                      = local.tracking_port
}
