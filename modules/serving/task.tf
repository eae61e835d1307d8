# One task: `prepare` opens the empty volumes to the image's user, then `model` serves. README.md explains both.

locals {
  # To mlflowctl a model server is a client of the environment, with a login and with buckets, and no more.
  common = {
    MLFLOWCTL_CONTEXT         = "client"
    MLFLOW_TRACKING_URI       = var.tracking_server.url
    AWS_DEFAULT_REGION        = local.region
    MLFLOWCTL_ARTIFACT_BUCKET = var.buckets.artifact_bucket
    MLFLOWCTL_REGISTRY_BUCKET = var.buckets.registry_bucket
  }
  own_variables = toset(concat(
    ["MLFLOW_TRACKING_URI", "AWS_DEFAULT_REGION", "MLFLOWCTL_ARTIFACT_BUCKET", "MLFLOWCTL_REGISTRY_BUCKET"],
    ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOWCTL_CONTEXT"],
  ))

  # ECS takes one key out of the secret's JSON by what stands behind the ARN.
  secrets = {
    MLFLOW_TRACKING_USERNAME = "${var.login_secret_arn}:username::"
    MLFLOW_TRACKING_PASSWORD = "${var.login_secret_arn}:password::"
  }

  # What both containers have in common: nothing of them may be written to but the volumes.
  container = {
    image                  = var.image
    readonlyRootFilesystem = true
    privileged             = false
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
  }
  volumes = {
    tmp = "/tmp" # models, and the Python environment of each
    run = "/run/mlflowctl"
  }

  # Fargate hands out empty volumes that only root may write to. This is the one thing that root does here.
  prepare = { for variant in keys(local.variants) : variant => merge(local.container, {
    name             = "prepare"
    essential        = false
    user             = "0"
    entryPoint       = ["sh", "-c"]
    command          = ["chmod 1777 /volumes/*"]
    mountPoints      = [for name in keys(local.volumes) : { sourceVolume = name, containerPath = "/volumes/${name}", readOnly = false }]
    logConfiguration = local.log_configuration[variant]
  }) }

  # Whether it works, the load balancer asks (/ping); a second check here could only disagree.
  model = { for variant in keys(local.variants) : variant => merge(local.container, {
    name             = "model"
    essential        = true
    user             = "10001"
    command          = ["serve-model", var.model, "--only", variant, "--port", tostring(local.port), "--bind", "0.0.0.0", "--load-timeout", tostring(var.startup_grace_seconds)]
    environment      = [for name, value in merge(var.environment, local.common) : { name = name, value = value }]
    secrets          = [for name, place in local.secrets : { name = name, valueFrom = place }]
    mountPoints      = [for name, path in local.volumes : { sourceVolume = name, containerPath = path, readOnly = false }]
    portMappings     = [{ containerPort = local.port, hostPort = local.port, protocol = "tcp" }]
    dependsOn        = [{ containerName = "prepare", condition = "SUCCESS" }]
    stopTimeout      = min(120, var.drain_seconds + 15) # 120 is the most that Fargate gives
    logConfiguration = local.log_configuration[variant]
  }) }

  log_configuration = {
    for variant, group in aws_cloudwatch_log_group.model : variant => {
      logDriver = "awslogs"
      options = {
        awslogs-group         = group.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "task"
      }
    }
  }
}

# Under the environment's own path, which its key and its deployer's policies name.
resource "aws_cloudwatch_log_group" "model" {
  for_each = local.variants

  name              = "/mlflowctl/${var.name}/models/${var.short_name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.tracking_server.kms_key_arn
}

resource "aws_ecs_task_definition" "model" {
  for_each = local.variants

  family                   = "${local.full_name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.prepare[each.key], local.model[each.key]])
  skip_destroy             = true # the circuit breaker goes back to the revision before, so that must stay

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  ephemeral_storage {
    size_in_gib = var.ephemeral_storage
  }

  dynamic "volume" {
    for_each = local.volumes

    content {
      name = volume.key
    }
  }
}
