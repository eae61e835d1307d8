# Two roles: ECS itself starts the task (execution), the containers call AWS (task).

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

  # A secret may be named with a JSON key behind it; permissions are given on the secret.
  secret_arns = distinct([for arn in concat(values(local.secrets_server), values(local.secrets_operations)) : join(":", slice(split(":", arn), 0, 7))])
  secret_keys = distinct(concat([local.kms_key_arn], var.database.secrets_kms_key_arns))

  # <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>
  ecr            = try(regex("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.[a-z.]+/([^:@]+)[:@]", var.image), null)
  ecr_repository = local.ecr == null ? null : "arn:${local.partition}:ecr:${local.ecr[1]}:${local.ecr[0]}:repository/${local.ecr[2]}"

  execution_statements = concat(
    [
      {
        Sid      = "OwnSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = local.secret_arns
      },
      {
        Sid       = "DecryptOwnSecrets"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = local.secret_keys
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
      },
      {
        Sid      = "OwnLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [for group in values(aws_cloudwatch_log_group.server) : "${group.arn}:log-stream:*"]
      },
    ],
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
}

resource "aws_iam_role" "execution" {
  name_prefix          = "${var.name}-exec-"
  description          = "Starts tasks of ${var.name}: image, secrets, logs"
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
  name_prefix          = "${var.name}-task-"
  description          = "Containers of ${var.name}: artifacts, and a look at the settings of both buckets"
  path                 = var.iam_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.trust
}

resource "aws_iam_role_policy" "task" {
  name = "task"
  role = aws_iam_role.task.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "ServeArtifacts"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
          Resource = ["${var.buckets.artifact_bucket_arn}/*"]
        },
        {
          Sid      = "ReadLedgerAndEvidence"
          Effect   = "Allow"
          Action   = ["s3:GetObject"]
          Resource = ["${var.buckets.registry_bucket_arn}/*"]
        },
        {
          # bootstrap and doctor compare; what differs, Terraform mends. Nothing here changes a bucket.
          Sid    = "ListAndCheckBuckets"
          Effect = "Allow"
          Action = [
            "s3:GetBucketLocation", "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
          ]
          Resource = [var.buckets.artifact_bucket_arn, var.buckets.registry_bucket_arn]
        },
      ],
      # Written as a filter, since whether there is a key may be unknown until apply.
      [for key in compact([var.buckets.kms_key_arn]) : {
        Sid       = "EncryptObjects"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [key]
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
      }],
    )
  })
}
