# One task: `prepare` opens the empty volumes to the image's user, `bootstrap` brings database and guard to
# this release, then `server` serves and `probe` asks it every half minute whether it can really work.
# All four run the same image. README.md explains each.

locals {
  # A password that changed must roll the service; this is the only trace that it leaves.
  passwords = "database-${var.database.password_version}-login-${var.password_version}"

  common = merge(
    {
      MLFLOW_TRACKING_URI         = local.url
      AWS_DEFAULT_REGION          = local.region
      MLFLOWCTL_DATABASE_HOST     = var.database.host
      MLFLOWCTL_DATABASE_PORT     = tostring(var.database.port)
      MLFLOWCTL_DATABASE_NAME     = var.database.name
      PGSSLMODE                   = var.database_ssl_mode # libpq reads this one
      MLFLOWCTL_ARTIFACT_BUCKET   = var.buckets.artifact_bucket
      MLFLOWCTL_REGISTRY_BUCKET   = var.buckets.registry_bucket
      MLFLOWCTL_ADMIN_USERNAME    = "admin"
      MLFLOWCTL_AUTH              = "true"
      MLFLOWCTL_ALLOWED_HOSTS     = join(",", compact([var.domain_name, var.danger_plain_http ? local.load_balancer_host : null]))
      MLFLOWCTL_PASSWORDS_VERSION = local.passwords
    },
    var.database_ca_file == null ? {} : { PGSSLROOTCERT = var.database_ca_file },
  )
  own_variables = toset([
    "MLFLOW_TRACKING_URI", "AWS_DEFAULT_REGION", "MLFLOWCTL_DATABASE_HOST", "MLFLOWCTL_DATABASE_PORT",
    "MLFLOWCTL_DATABASE_NAME", "PGSSLMODE", "PGSSLROOTCERT", "MLFLOWCTL_ARTIFACT_BUCKET",
    "MLFLOWCTL_REGISTRY_BUCKET", "MLFLOWCTL_ADMIN_USERNAME", "MLFLOWCTL_AUTH", "MLFLOWCTL_ALLOWED_HOSTS",
    "MLFLOWCTL_PASSWORDS_VERSION", "MLFLOWCTL_CONTEXT",
  ])

  environment        = [for name, value in merge(var.environment, local.common) : { name = name, value = value }]
  secrets_server     = { MLFLOWCTL_DATABASE_PASSWORD = var.database.app_secret_arn, MLFLOW_FLASK_SERVER_SECRET_KEY = module.secret["session-key"].arn }
  secrets_operations = { MLFLOWCTL_DATABASE_PASSWORD = var.database.app_secret_arn, MLFLOWCTL_DATABASE_ADMIN_PASSWORD = var.database.admin_secret_arn, MLFLOWCTL_ADMIN_PASSWORD = module.secret["admin"].arn }

  # What every container has in common: nothing of it may be written to but its volumes.
  container = {
    image                  = var.image
    readonlyRootFilesystem = true
    privileged             = false
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
  }

  # Each container has volumes of its own: the server never sees the admin's passfile.
  volumes = {
    for owner in ["bootstrap", "server"] : owner => [
      { sourceVolume = "${owner}-tmp", containerPath = "/tmp", readOnly = false },
      { sourceVolume = "${owner}-run", containerPath = "/run/mlflowctl", readOnly = false },
    ]
  }

  # Fargate hands out empty volumes that only root may write to. This is the one thing that root does here.
  prepare = {
    for purpose, owners in { service = ["bootstrap", "server"], command = ["bootstrap"] } : purpose => merge(local.container, {
      name       = "prepare"
      essential  = false
      user       = "0"
      entryPoint = ["sh", "-c"]
      command    = ["chmod 1777 /volumes/*"]
      mountPoints = flatten([
        for owner in owners : [
          for one in local.volumes[owner] : { sourceVolume = one.sourceVolume, containerPath = "/volumes/${one.sourceVolume}", readOnly = false }
        ]
      ])
      logConfiguration = local.log_configuration["bootstrap"]
    })
  }

  bootstrap = merge(local.container, {
    name             = "bootstrap"
    essential        = false
    user             = "10001"
    command          = ["bootstrap"]
    environment      = local.environment
    secrets          = [for name, arn in local.secrets_operations : { name = name, valueFrom = arn }]
    mountPoints      = local.volumes["bootstrap"]
    dependsOn        = [{ containerName = "prepare", condition = "SUCCESS" }]
    logConfiguration = local.log_configuration["bootstrap"]
  })

  server = merge(local.container, {
    name             = "server"
    essential        = true
    user             = "10001"
    command          = ["serve"]
    environment      = local.environment
    secrets          = [for name, arn in local.secrets_server : { name = name, valueFrom = arn }]
    mountPoints      = local.volumes["server"]
    portMappings     = [{ containerPort = local.port, hostPort = local.port, protocol = "tcp" }]
    dependsOn        = [{ containerName = "bootstrap", condition = "SUCCESS" }]
    stopTimeout      = 60 # gunicorn gives requests 20 s to end
    logConfiguration = local.log_configuration["server"]

    # Liveness: the process answers. It does not ask the database, or a failover of RDS would replace every task.
    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:${local.port}/health', timeout=4)"]
      interval    = 15
      timeout     = 5
      retries     = 4
      startPeriod = 300
    }
  })

  # The deep probe asks database and bucket. Its lines become a metric, and that an alarm (observability);
  # nothing else depends on it.
  probe = merge(local.container, {
    name             = "probe"
    essential        = false
    user             = "10001"
    entryPoint       = ["sh", "-c"]
    command          = ["trap 'exit 0' TERM; while :; do python -m mlflowctl.container.probe; sleep 30 & wait $!; done"]
    environment      = [{ name = "MLFLOW_TRACKING_URI", value = local.url }]
    dependsOn        = [{ containerName = "server", condition = "HEALTHY" }]
    logConfiguration = local.log_configuration["probe"]
  })
}

resource "aws_ecs_task_definition" "server" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.prepare["service"], local.bootstrap, local.server, local.probe])
  skip_destroy             = true # the circuit breaker goes back to the revision before, so that must stay

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  ephemeral_storage {
    size_in_gib = var.ephemeral_storage
  }

  dynamic "volume" {
    for_each = toset(["bootstrap-tmp", "bootstrap-run", "server-tmp", "server-run"])

    content {
      name = volume.value
    }
  }
}

# For one command of mlflowctl inside the VPC, where the database can be reached: `aws ecs run-task` with the
# command of the container mlflowctl overridden.
resource "aws_ecs_task_definition" "command" {
  family                   = "${var.name}-command"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 2048
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions = jsonencode([
    local.prepare["command"],
    merge(local.bootstrap, { name = "mlflowctl", essential = true, command = ["doctor"] }),
  ])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  dynamic "volume" {
    for_each = toset(["bootstrap-tmp", "bootstrap-run"])

    content {
      name = volume.value
    }
  }
}
