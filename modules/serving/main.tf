# One registered model, served: two services of ECS Fargate, champion and challenger, behind one load balancer that
# divides the requests by weights. Which version each runs, it finds out in the registry by itself.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  port      = 8080
  full_name = "${var.name}-${var.short_name}"

  # The weights at first; from then on they are the tool's.
  variants = {
    champion   = { min = var.min_tasks, max = var.max_tasks, weight = 100 }
    challenger = { min = var.challenger_min_tasks, max = var.challenger_max_tasks, weight = 0 }
  }

  url = var.danger_plain_http ? "http://${coalesce(var.domain_name, local.load_balancer_host)}" : "https://${var.domain_name}"
}

resource "aws_ecs_service" "model" {
  for_each = local.variants

  name            = "${local.full_name}-${each.key}"
  cluster         = var.tracking_server.cluster_arn
  task_definition = aws_ecs_task_definition.model[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = each.value.min

  platform_version                   = "LATEST"
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  enable_execute_command             = false
  availability_zone_rebalancing      = "ENABLED"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = var.startup_grace_seconds
  wait_for_steady_state              = var.wait_for_steady_state

  # Back to the tasks before, if the new ones do not come up: a newer image, other settings. A newer version of
  # the model is no deployment; the task changes to it by itself.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.model.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.model[each.key].arn
    container_name   = "model"
    container_port   = local.port
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling decides
  }

  # What a task needs from its first second on.
  depends_on = [
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_lb_listener_rule.traffic,
    aws_vpc_security_group_egress_rule.load_balancer_to_model,
    aws_vpc_security_group_egress_rule.model_to_aws,
    aws_vpc_security_group_egress_rule.model_to_tracking_server,
    aws_vpc_security_group_ingress_rule.model_from_load_balancer,
    aws_vpc_security_group_ingress_rule.tracking_server_from_model,
  ]
}

resource "aws_appautoscaling_target" "model" {
  for_each = local.variants

  service_namespace  = "ecs"
  resource_id        = "service/${var.tracking_server.cluster_name}/${aws_ecs_service.model[each.key].name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = each.value.min
  max_capacity       = each.value.max
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each = local.variants

  name               = "${local.full_name}-${each.key}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.model[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.model[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.model[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.target_cpu_percent
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  for_each = local.variants

  name               = "${local.full_name}-${each.key}-requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.model[each.key].service_namespace
  resource_id        = aws_appautoscaling_target.model[each.key].resource_id
  scalable_dimension = aws_appautoscaling_target.model[each.key].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.target_requests_per_minute
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${local.load_balancer_arn_suffix}/${aws_lb_target_group.model[each.key].arn_suffix}"
    }
  }
}
