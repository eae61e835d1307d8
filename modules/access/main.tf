# Who may do what with an environment. Nothing is attached to anybody: the documents are outputs.
# reader and trainer write nothing of the registry, promoter appends to it; deployer_*.tf is for Terraform.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  artifacts = coalesce(var.artifact_bucket_arn, "arn:${local.partition}:s3:::${var.name}-${local.account}-artifacts")
  registry  = coalesce(var.registry_bucket_arn, "arn:${local.partition}:s3:::${var.name}-${local.account}-registry")

  # Conditions are on the way of the request: the key opens objects of S3, the parameter, and nothing else.
  via_s3         = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
  via_parameters = { StringEquals = { "kms:ViaService" = "ssm.${local.region}.amazonaws.com" } }
  via_secrets    = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }

  looking = concat(
    [
      {
        Sid      = "ListBuckets"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = [local.artifacts, local.registry]
      },
      {
        Sid    = "CompareBucketSettings" # smoke-test and doctor
        Effect = "Allow"
        Action = [
          "s3:GetBucketVersioning",
          "s3:GetEncryptionConfiguration",
          "s3:GetLifecycleConfiguration",
          "s3:GetBucketOwnershipControls",
          "s3:GetBucketPublicAccessBlock",
          "s3:GetBucketPolicy",
        ]
        Resource = [local.artifacts, local.registry]
      },
      {
        Sid      = "ReadRegistry"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for prefix in ["ledger", "leases", "evidence", "records", "outcomes"] : "${local.registry}/${prefix}/*"]
      },
    ],
    [for arn in var.direct_artifacts ? [local.artifacts] : [] : {
      Sid      = "ReadArtifacts"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = ["${arn}/*"]
    }],
    [for name in compact([var.parameter]) : {
      Sid      = "FindTheEnvironment"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter"]
      Resource = ["arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${name}"]
    }],
  )

  # A list of none or one, so that a key which is unknown before apply decides nothing about the shape.
  decrypting = concat(
    [for key in compact([var.kms_key_arn]) : {
      Sid       = "DecryptObjects"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [key]
      Condition = local.via_s3
    }],
    # infra/aws encrypts the parameter with the same key.
    [for key in compact([var.parameter == null ? null : var.kms_key_arn]) : {
      Sid       = "DecryptTheParameter"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [key]
      Condition = local.via_parameters
    }],
  )
  encrypting = [for key in compact([var.kms_key_arn]) : {
    Sid       = "EncryptObjects"
    Effect    = "Allow"
    Action    = ["kms:GenerateDataKey"]
    Resource  = [key]
    Condition = local.via_s3
  }]

  writing_artifacts = [for arn in var.direct_artifacts ? [local.artifacts] : [] : {
    Sid    = "WriteArtifacts"
    Effect = "Allow"
    # DeleteObject leaves a marker; versions can only be removed by those who run the environment.
    Action   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    Resource = ["${arn}/*"]
  }]

  appending = concat(
    [
      {
        # Only a write that demands "not there yet" is let through: what is written can never be overwritten.
        Sid       = "AppendToLedgerAndEvidence"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["${local.registry}/ledger/*", "${local.registry}/evidence/*", "${local.registry}/outcomes/*"]
        Condition = { Null = { "s3:if-none-match" = "false" } }
      },
      {
        Sid       = "TakeLeases"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["${local.registry}/leases/*"]
        Condition = { Null = { "s3:if-none-match" = "false" } }
      },
      {
        Sid       = "RenewAndReleaseLeases"
        Effect    = "Allow"
        Action    = ["s3:PutObject"]
        Resource  = ["${local.registry}/leases/*"]
        Condition = { Null = { "s3:if-match" = "false" } }
      },
    ],
    [for arn in var.direct_artifacts ? [local.artifacts] : [] : {
      Sid      = "LeaveReportOnTheRun"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${arn}/*"]
    }],
  )

  # Who gives a challenger a share of the requests changes the weights of its listener's rule, and nothing else of it.
  moving_traffic = [for statement in [
    {
      Sid      = "MoveTraffic"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:ModifyRule"]
      Resource = var.traffic_rule_arns
    },
    {
      Sid      = "LookAtTraffic" # AWS cannot narrow these
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetHealth"]
      Resource = ["*"]
    },
  ] : statement if length(var.traffic_rule_arns) > 0]

  logging_in = {
    for role, arns in var.login_secrets : role => concat(
      [{ Sid = "ReadLogin", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = arns }],
      [for key in compact([var.login_secrets_kms_key_arn]) : {
        Sid       = "DecryptLogin"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [key]
        Condition = local.via_secrets
      }],
    ) if length(arns) > 0
  }

  statements = {
    reader = concat(local.looking, local.decrypting, try(local.logging_in["reader"], []))
    trainer = concat(
      local.looking, local.writing_artifacts, local.decrypting,
      [for statement in local.encrypting : statement if var.direct_artifacts], try(local.logging_in["trainer"], []),
    )
    promoter = concat(
      local.looking, local.appending, local.moving_traffic, local.decrypting, local.encrypting,
      try(local.logging_in["promoter"], []),
    )
  }

  documents = merge(
    { for role, statements in local.statements : role => jsonencode({ Version = "2012-10-17", Statement = statements }) },
    { for part, statements in local.deployer : "deployer-${part}" => jsonencode({
      Version   = "2012-10-17"
      Statement = [for statement in statements : statement if length(flatten([statement.Resource])) > 0]
    }) },
  )
}

resource "aws_iam_policy" "this" {
  for_each = toset(var.create_policies ? concat(["reader", "trainer", "promoter"], [for part in local.deployer_parts : "deployer-${part}"]) : [])

  name        = "${var.name}-${each.key}"
  path        = var.iam_path
  description = "${each.key} of ${var.name}; made by the module access"
  policy      = local.documents[each.key]

  lifecycle {
    precondition {
      condition     = length(local.documents[each.key]) <= 6144
      error_message = "The policy ${each.key} has ${length(local.documents[each.key])} characters; IAM takes 6144 at most. Name fewer ARNs in deployer or login_secrets."
    }
  }
}
