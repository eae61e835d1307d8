# Internal and HTTPS by default. With existing_load_balancer only target groups and rules are made.

locals {
  own_load_balancer = var.existing_load_balancer == null

  load_balancer_host       = local.own_load_balancer ? aws_lb.model[0].dns_name : data.aws_lb.existing[0].dns_name
  load_balancer_zone       = local.own_load_balancer ? aws_lb.model[0].zone_id : data.aws_lb.existing[0].zone_id
  load_balancer_arn_suffix = local.own_load_balancer ? aws_lb.model[0].arn_suffix : data.aws_lb.existing[0].arn_suffix
}

data "aws_lb_listener" "existing" {
  count = local.own_load_balancer ? 0 : 1
  arn   = var.existing_load_balancer.listener_arn
}

data "aws_lb" "existing" {
  count = local.own_load_balancer ? 0 : 1
  arn   = data.aws_lb_listener.existing[0].load_balancer_arn
}

resource "aws_lb" "model" {
  # checkov:skip=CKV_AWS_91: access logs go to a bucket that the account names (access_logs_bucket); the model servers keep records of their own
  count = local.own_load_balancer ? 1 : 0

  name                       = local.full_name
  load_balancer_type         = "application"
  internal                   = true
  subnets                    = var.private_subnet_ids
  security_groups            = [aws_security_group.load_balancer[0].id]
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  idle_timeout               = var.request_timeout_seconds
  enable_deletion_protection = var.load_balancer_deletion_protection

  dynamic "access_logs" {
    for_each = var.access_logs_bucket == null ? [] : [var.access_logs_bucket]

    content {
      bucket  = access_logs.value
      prefix  = local.full_name
      enabled = true
    }
  }
}

resource "aws_lb_listener" "clients" {
  count = local.own_load_balancer ? 1 : 0

  load_balancer_arn = aws_lb.model[0].arn
  port              = var.danger_plain_http ? 80 : 443
  protocol          = var.danger_plain_http ? "HTTP" : "HTTPS"
  ssl_policy        = var.danger_plain_http ? null : var.ssl_policy
  certificate_arn   = var.certificate_arn != null ? var.certificate_arn : one(aws_acm_certificate_validation.model[*].certificate_arn)

  # The rules in traffic.tf answer every request. If somebody deletes them, the champion still serves.
  default_action {
    type = "forward"

    forward {
      target_group {
        arn    = aws_lb_target_group.model["champion"].arn
        weight = local.variants["champion"].weight
      }

      target_group {
        arn    = aws_lb_target_group.model["challenger"].arn
        weight = local.variants["challenger"].weight
      }
    }
  }
}

resource "aws_lb_listener" "redirect" {
  count = local.own_load_balancer && !var.danger_plain_http ? 1 : 0

  load_balancer_arn = aws_lb.model[0].arn
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

resource "aws_acm_certificate" "model" {
  count = local.own_load_balancer && !var.danger_plain_http && var.certificate_arn == null ? 1 : 0

  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # One name, so one record; a count and not a for_each over the options, which are unknown at first.
  validation = [for option in try(aws_acm_certificate.model[0].domain_validation_options, []) : option]
}

resource "aws_route53_record" "validation" {
  count = length(aws_acm_certificate.model)

  zone_id         = var.zone_id
  name            = local.validation[0].resource_record_name
  type            = local.validation[0].resource_record_type
  records         = [local.validation[0].resource_record_value]
  ttl             = 60
  allow_overwrite = true # the record of a certificate for the same name is the same
}

resource "aws_acm_certificate_validation" "model" {
  count = length(aws_acm_certificate.model)

  certificate_arn         = aws_acm_certificate.model[0].arn
  validation_record_fqdns = [aws_route53_record.validation[0].fqdn]
}

resource "aws_route53_record" "model" {
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
