# Two roles: ECS itself starts the task (execution), the model servers call AWS (task). Both variants have the same.

locals {
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
      }
    }]
  })

  # As mlflowctl writes a model's name in a key: urllib.parse.quote(name, safe="").
  quoted = replace(urlencode(var.model), "+", "%20")

  # <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>
  ecr            = try(regex("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.[a-z.]+/([^:@]+)[:@]", var.image), null)
  ecr_repository = local.ecr == null ? null : "arn:${local.partition}:ecr:${local.ecr[1]}:${local.ecr[0]}:repository/${local.ecr[2]}"

  execution_statements = concat(
    [
      {
        Sid      = "ReadersLogin"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [var.login_secret_arn]
      },
      {
        Sid      = "OwnLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [for group in values(aws_cloudwatch_log_group.model) : "${group.arn}:log-stream:*"]
      },
    ],
    # Written as a filter, since whether there is a key may be unknown until apply.
    [for key in compact([var.login_secret_kms_key_arn]) : {
      Sid       = "DecryptTheLogin"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [key]
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
    }],
    local.ecr == null ? [] : [
      {
        Sid      = "PullThisImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [local.ecr_repository]
      },
      {
        Sid      = "LogInToEcr" # knows no resources
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
    ],
  )

  task_statements = concat(
    [
      {
        Sid      = "ReadArtifacts"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = ["${var.buckets.artifact_bucket_arn}/*"]
      },
      {
        # A gateway that repeats a write whose answer was lost reads what is there.
        Sid    = "FollowThisModel"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = [
          "${var.buckets.registry_bucket_arn}/ledger/${local.quoted}/*",
          "${var.buckets.registry_bucket_arn}/leases/${local.quoted}.json",
          "${var.buckets.registry_bucket_arn}/records/${local.quoted}/*",
        ]
      },
      {
        # Only a write that demands "not there yet" is let through: what is recorded can never be overwritten.
        Sid       = "AppendRecordsOfThisModel"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["${var.buckets.registry_bucket_arn}/records/${local.quoted}/*"]
        Condition = { Null = { "s3:if-none-match" = "false" } }
      },
      {
        # Not narrowed to prefixes: without it S3 answers 403 instead of 404 for an object that is not there yet.
        Sid      = "ListBuckets"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [var.buckets.artifact_bucket_arn, var.buckets.registry_bucket_arn]
      },
    ],
    [for key in compact([var.buckets.kms_key_arn]) : {
      Sid       = "EncryptObjects"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = [key]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    }],
  )

  # For whoever changes the weights: a promoter, the controller of a live test.
  traffic_statements = [
    {
      Sid      = "MoveTraffic"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:ModifyRule"]
      Resource = [aws_lb_listener_rule.traffic.arn]
    },
    {
      Sid      = "LookAtTraffic" # AWS cannot narrow these
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetHealth"]
      Resource = ["*"]
    },
  ]
}

resource "aws_iam_role" "execution" {
  name_prefix          = "${local.full_name}-exec-"
  description          = "Starts tasks of ${local.full_name}: image, login, logs"
  path                 = var.iam_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.trust
}

resource "aws_iam_role_policy" "execution" {
  name = "execution"
  role = aws_iam_role.execution.name

  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
}

resource "aws_iam_role" "task" {
  name_prefix          = "${local.full_name}-task-"
  description          = "Model servers of ${local.full_name}: read artifacts and the ledger, append records"
  path                 = var.iam_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.trust
}

resource "aws_iam_role_policy" "task" {
  name = "task"
  role = aws_iam_role.task.name

  policy = jsonencode({ Version = "2012-10-17", Statement = local.task_statements })
}
