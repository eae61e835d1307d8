# Who gets which request. Three rules of one listener: two for clients that name the variant in a header, one that
# divides all the others by weights. Those weights belong to mlflowctl (scripts/mlflowctl/cloud/weights.py).

locals {
  listener_arn = local.own_load_balancer ? aws_lb_listener.clients[0].arn : var.existing_load_balancer.listener_arn
  priority     = local.own_load_balancer ? 1 : var.existing_load_balancer.priority
  hosts        = local.own_load_balancer ? [] : [var.domain_name] # a listener of its own is the model's under every name
  forced       = { for index, variant in sort(keys(local.variants)) : variant => local.priority + index }
}

resource "aws_lb_target_group" "model" {
  for_each = local.variants

  name_prefix          = "${trimsuffix(substr(var.short_name, 0, 3), "-")}-${each.key == "champion" ? "a" : "b"}-" # 6 characters at most
  port                 = local.port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = var.drain_seconds

  health_check {
    path                = "/ping"
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

resource "aws_lb_listener_rule" "forced" {
  for_each = local.forced

  listener_arn = local.listener_arn
  priority     = each.value

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.model[each.key].arn
  }

  condition {
    http_header {
      http_header_name = "X-Model-Variant"
      values           = [each.key]
    }
  }

  dynamic "condition" {
    for_each = local.hosts

    content {
      host_header {
        values = [condition.value]
      }
    }
  }
}

resource "aws_lb_listener_rule" "traffic" {
  listener_arn = local.listener_arn
  priority     = local.priority + length(local.forced)

  action {
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

      stickiness {
        enabled  = false
        duration = 86400 # seconds; counts once the tool switches it on
      }
    }
  }

  dynamic "condition" {
    for_each = local.hosts

    content {
      host_header {
        values = [condition.value]
      }
    }
  }

  dynamic "condition" {
    for_each = local.own_load_balancer ? ["/*"] : []

    content {
      path_pattern {
        values = [condition.value]
      }
    }
  }

  lifecycle {
    # Weights and stickiness are changed while the model serves; the next apply must not set them back.
    ignore_changes = [action]
    # But a target group that is replaced must not stay in the rule.
    replace_triggered_by = [aws_lb_target_group.model["champion"].arn, aws_lb_target_group.model["challenger"].arn]

    precondition {
      condition     = local.own_load_balancer || var.danger_plain_http || one(data.aws_lb_listener.existing[*].protocol) == "HTTPS"
      error_message = "The listener of existing_load_balancer does not speak HTTPS. Name its HTTPS listener."
    }

    precondition {
      condition     = local.own_load_balancer || !var.danger_plain_http || one(data.aws_lb.existing[*].internal) == true
      error_message = "danger_plain_http is for an internal load balancer only; the existing one is on the internet."
    }
  }
}
