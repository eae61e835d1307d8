# Internal and HTTPS by default. With existing_load_balancer only a target group and a rule are made.

locals {
  own_load_balancer = var.existing_load_balancer == null

  load_balancer_host       = local.own_load_balancer ? aws_lb.server[0].dns_name : data.aws_lb.existing[0].dns_name
  load_balancer_zone       = local.own_load_balancer ? aws_lb.server[0].zone_id : data.aws_lb.existing[0].zone_id
  load_balancer_arn_suffix = local.own_load_balancer ? aws_lb.server[0].arn_suffix : data.aws_lb.existing[0].arn_suffix
}

data "aws_lb_listener" "existing" {
  count = local.own_load_balancer ? 0 : 1
  arn   = var.existing_load_balancer.listener_arn
}

data "aws_lb" "existing" {
  count = local.own_load_balancer ? 0 : 1
  arn   = data.aws_lb_listener.existing[0].load_balancer_arn
}

resource "aws_lb" "server" {
  # checkov:skip=CKV_AWS_91: access logs go to a bucket that the account names (access_logs_bucket); who called what stands in MLflow's own history
  # checkov:skip=CKV_AWS_150: it holds no data and a destroy may take it; load_balancer_deletion_protection switches the protection on
  count = local.own_load_balancer ? 1 : 0

  name                       = var.name
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.internal ? var.private_subnet_ids : var.public_subnet_ids
  security_groups            = [aws_security_group.load_balancer[0].id]
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  idle_timeout               = 70 # below the 75 s for which the server keeps a connection (gunicorn_settings.py), or clients see 502
  enable_deletion_protection = var.load_balancer_deletion_protection

  dynamic "access_logs" {
    for_each = var.access_logs_bucket == null ? [] : [var.access_logs_bucket]

    content {
      bucket  = access_logs.value
      prefix  = var.name
      enabled = true
    }
  }
}

resource "aws_wafv2_web_acl_association" "server" {
  count = local.own_load_balancer && var.web_acl_arn != null ? 1 : 0

  resource_arn = aws_lb.server[0].arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_lb_target_group" "server" {
  name_prefix          = "${trimsuffix(substr(var.name, 0, 5), "-")}-" # 6 characters at most
  port                 = local.port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 60

  # Liveness only: /health asks neither login nor database. Whether the server can work, the probe tells.
  health_check {
    path                = "/health"
    protocol            = "HTTP"
    matcher             = "200"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 4
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "clients" {
  count = local.own_load_balancer ? 1 : 0

  load_balancer_arn = aws_lb.server[0].arn
  port              = var.danger_plain_http ? 80 : 443
  protocol          = var.danger_plain_http ? "HTTP" : "HTTPS"
  ssl_policy        = var.danger_plain_http ? null : var.ssl_policy
  certificate_arn   = var.certificate_arn != null ? var.certificate_arn : one(aws_acm_certificate_validation.server[*].certificate_arn)

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.server.arn
  }
}

resource "aws_lb_listener" "redirect" {
  count = local.own_load_balancer && !var.danger_plain_http ? 1 : 0

  load_balancer_arn = aws_lb.server[0].arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }

  depends_on = [aws_lb_listener.clients] # which may have had port 80 before
}

resource "aws_lb_listener_rule" "server" {
  count = local.own_load_balancer ? 0 : 1

  listener_arn = var.existing_load_balancer.listener_arn
  priority     = var.existing_load_balancer.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.server.arn
  }

  condition {
    host_header {
      values = [var.domain_name]
    }
  }

  lifecycle {
    precondition {
      condition     = var.danger_plain_http || data.aws_lb_listener.existing[0].protocol == "HTTPS"
      error_message = "The listener of existing_load_balancer speaks ${data.aws_lb_listener.existing[0].protocol}, not HTTPS. Name its HTTPS listener."
    }

    precondition {
      condition     = !var.danger_plain_http || data.aws_lb.existing[0].internal
      error_message = "danger_plain_http is for an internal load balancer only; the existing one is on the internet."
    }
  }
}

resource "aws_acm_certificate" "server" {
  count = local.own_load_balancer && !var.danger_plain_http && var.certificate_arn == null ? 1 : 0

  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # One name, so one record; a count and not a for_each over the options, which are unknown at first.
  validation = [for option in try(aws_acm_certificate.server[0].domain_validation_options, []) : option]
}

resource "aws_route53_record" "validation" {
  count = length(aws_acm_certificate.server)

  zone_id         = var.zone_id
  name            = local.validation[0].resource_record_name
  type            = local.validation[0].resource_record_type
  records         = [local.validation[0].resource_record_value]
  ttl             = 60
  allow_overwrite = true # the record of a certificate for the same name is the same
}

resource "aws_acm_certificate_validation" "server" {
  count = length(aws_acm_certificate.server)

  certificate_arn         = aws_acm_certificate.server[0].arn
  validation_record_fqdns = [aws_route53_record.validation[0].fqdn]
}

resource "aws_route53_record" "server" {
  count = var.zone_id == null ? 0 : 1

  zone_id = var.zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = local.load_balancer_host
    zone_id                = local.load_balancer_zone
    evaluate_target_health = false
  }
}
