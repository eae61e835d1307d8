# MLflow's tracking server on Fargate behind an application load balancer. The task itself stands in task.tf.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  port      = 5000

  url = var.danger_plain_http ? "http://${local.load_balancer_host}" : "https://${var.domain_name}"
}

resource "aws_ecs_cluster" "server" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled" # the alarm "no running task" lives from it
  }
}

resource "aws_ecs_service" "server" {
  name            = var.name
  cluster         = aws_ecs_cluster.server.id
  task_definition = aws_ecs_task_definition.server.arn
  launch_type     = "FARGATE"
  desired_count   = var.min_tasks

  platform_version                   = "LATEST"
  propagate_tags                     = "SERVICE"
  enable_ecs_managed_tags            = true
  enable_execute_command             = false
  availability_zone_rebalancing      = "ENABLED"
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = var.startup_grace_seconds
  wait_for_steady_state              = var.wait_for_steady_state

  # Back to the tasks before, if the new ones do not come up. That helps between images of one schema only:
  # an old image refuses a schema that a newer one has migrated.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.private_subnet_ids
    security_groups  = [aws_security_group.server.id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.server.arn
    container_name   = "server"
    container_port   = local.port
  }

  lifecycle {
    ignore_changes = [desired_count] # autoscaling decides
  }

  # What a task needs from its first second on.
  depends_on = [
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_lb_listener.clients,
    aws_lb_listener_rule.server,
    module.secret,
    aws_vpc_security_group_egress_rule.load_balancer_to_server,
    aws_vpc_security_group_egress_rule.server_to_aws,
    aws_vpc_security_group_egress_rule.server_to_database,
    aws_vpc_security_group_ingress_rule.database_from_server,
    aws_vpc_security_group_ingress_rule.server_from_load_balancer,
  ]
}

resource "aws_appautoscaling_target" "server" {
  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.server.name}/${aws_ecs_service.server.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.server.service_namespace
  resource_id        = aws_appautoscaling_target.server.resource_id
  scalable_dimension = aws_appautoscaling_target.server.scalable_dimension

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
  name               = "requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.server.service_namespace
  resource_id        = aws_appautoscaling_target.server.resource_id
  scalable_dimension = aws_appautoscaling_target.server.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.target_requests_per_minute
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = "${local.load_balancer_arn_suffix}/${aws_lb_target_group.server.arn_suffix}"
    }
  }
}

resource "aws_ecr_repository" "server" {
  count = var.create_ecr_repository ? 1 : 0

  name                 = var.name
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = local.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "server" {
  count = var.create_ecr_repository ? 1 : 0

  repository = aws_ecr_repository.server[0].name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Layers of failed pushes; tagged images stay, a rollback needs them"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
      action       = { type = "expire" }
    }]
  })
}
