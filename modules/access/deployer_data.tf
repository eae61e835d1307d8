# Buckets, state, keys, secrets, database, backup.

locals {
  deployer_storage = concat(
    [
      {
        Sid    = "BucketsOfTheEnvironment"
        Effect = "Allow"
        # GetBucket… are settings; no object can be read with them.
        Action = [
          "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:GetAccelerateConfiguration", "s3:GetBucket*",
          "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
          "s3:ListBucketVersions", "s3:PutBucketLogging", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketOwnershipControls",
          "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning",
          "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
        ]
        # Of a bucket that somebody else made, only that it is there.
        Resource = concat(var.artifact_bucket_arn == null ? [local.artifacts] : [], var.registry_bucket_arn == null ? [local.registry] : [])
      },
      {
        Sid      = "LookAtBuckets"
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = [local.artifacts, local.registry]
      },
      {
        Sid       = "ListTheStateOfTheEnvironment"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [local.d.state_bucket_arn]
        Condition = { StringLike = { "s3:prefix" = ["${local.d.state_prefix}*", "env:/*"] } }
      },
      {
        Sid      = "StateOfTheEnvironment"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.d.state_bucket_arn}/${local.d.state_prefix}*"]
      },
      {
        Sid      = "ReleaseTheLock"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["${local.d.state_bucket_arn}/${local.d.state_prefix}*.tflock"]
      },
      {
        Sid      = "LookAtTheStateBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:GetBucketVersioning"]
        Resource = [local.d.state_bucket_arn]
      },
      {
        Sid       = "MakeKeys"
        Effect    = "Allow"
        Action    = ["kms:CreateKey", "kms:TagResource"]
        Resource  = "*"
        Condition = local.making
      },
      {
        Sid    = "OurKeys"
        Effect = "Allow"
        Action = [
          "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus",
          "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
          "kms:UpdateAlias", "kms:UpdateKeyDescription",
        ]
        Resource  = "${local.prefixed.kms}:key/*"
        Condition = local.ours
      },
      {
        Sid      = "OurAliases"
        Effect   = "Allow"
        Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
        Resource = "${local.prefixed.kms}:alias/${var.name}-*"
      },
      {
        Sid      = "ListAliases"
        Effect   = "Allow"
        Action   = ["kms:ListAliases"]
        Resource = "*"
      },
      {
        Sid       = "ServicesEncryptWithOurKeys"
        Effect    = "Allow"
        Action    = ["kms:CreateGrant"]
        Resource  = "${local.prefixed.kms}:key/*"
        Condition = merge(local.ours, { Bool = { "kms:GrantIsForAWSResource" = "true" } })
      },
      {
        Sid    = "SecretsWithOurKeys"
        Effect = "Allow"
        Action = ["kms:Decrypt", "kms:GenerateDataKey"]
        # Terraform never reads an object of the buckets; the state has a key of its own.
        Resource  = "${local.prefixed.kms}:key/*"
        Condition = { StringEquals = merge(local.ours.StringEquals, local.via_secrets.StringEquals) }
      },
      {
        Sid       = "TheParameterWithOurKeys"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:Encrypt"]
        Resource  = "${local.prefixed.kms}:key/*"
        Condition = { StringEquals = merge(local.ours.StringEquals, local.via_parameters.StringEquals) }
      },
    ],
    [for statement in [
      {
        Sid      = "KeysOfOthers"
        Effect   = "Allow"
        Action   = ["kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey"]
        Resource = local.d.kms_key_arns
      },
      {
        Sid       = "ServicesEncryptWithKeysOfOthers"
        Effect    = "Allow"
        Action    = ["kms:CreateGrant"]
        Resource  = local.d.kms_key_arns
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
    ] : statement if length(local.d.kms_key_arns) > 0],
  )

  deployer_database = [
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "rds:DescribeDBInstances", "rds:DescribeDBParameterGroups", "rds:DescribeDBParameters",
        "rds:DescribeDBSnapshots", "rds:DescribeDBSubnetGroups", "rds:ListTagsForResource",
        "rds:DescribeDBInstanceAutomatedBackups",
      ]
      Resource = "*"
    },
    {
      Sid    = "OurDatabase"
      Effect = "Allow"
      Action = [
        "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:CreateDBParameterGroup", "rds:CreateDBSnapshot", "rds:CreateDBSubnetGroup",
        "rds:DeleteDBInstance", "rds:DeleteDBParameterGroup", "rds:DeleteDBSubnetGroup", "rds:ModifyDBInstance",
        "rds:ModifyDBParameterGroup", "rds:ModifyDBSubnetGroup", "rds:RebootDBInstance", "rds:RemoveTagsFromResource",
        "rds:ResetDBParameterGroup", "rds:RestoreDBInstanceToPointInTime",
      ]
      Resource = concat(
        flatten([for kind in ["db", "subgrp", "pg", "snapshot"] : ["${local.prefixed.rds}:${kind}:${var.name}", "${local.prefixed.rds}:${kind}:${var.name}-*"]]),
        ["${local.prefixed.rds}:og:default:postgres-*", "${local.prefixed.rds}:auto-backup:*"],
      )
    },
    {
      Sid      = "MakePasswords"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetRandomPassword"]
      Resource = "*"
    },
    {
      Sid    = "OurSecrets"
      Effect = "Allow"
      Action = [
        "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
        "secretsmanager:PutSecretValue", "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret",
      ]
      Resource = "${local.prefixed.secretsmanager}:secret:${var.name}-*"
    },
    {
      # The provider reads back each value that it has set, and hands the database's to RDS. It keeps none.
      Sid      = "ReadOurSecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = "${local.prefixed.secretsmanager}:secret:${var.name}-*"
    },
    {
      Sid    = "OurParameter"
      Effect = "Allow"
      Action = ["ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:GetParameter", "ssm:ListTagsForResource", "ssm:PutParameter", "ssm:RemoveTagsFromResource"]
      # A name that nothing has, where no parameter is told.
      Resource = "${local.prefixed.ssm}:parameter${coalesce(var.parameter, "/mlflowctl/none/${var.name}")}"
    },
    {
      Sid      = "LookForParameters"
      Effect   = "Allow"
      Action   = ["ssm:DescribeParameters"]
      Resource = "*"
    },
    {
      Sid    = "OurBackups"
      Effect = "Allow"
      Action = [
        "backup:CreateBackupVault", "backup:DeleteBackupVault", "backup:DescribeBackupVault", "backup:ListTags",
        "backup:TagResource", "backup:UntagResource",
      ]
      Resource = "${local.prefixed.backup}:backup-vault:${var.name}"
    },
    {
      Sid       = "MakeBackupPlans"
      Effect    = "Allow"
      Action    = ["backup:CreateBackupPlan", "backup:TagResource"]
      Resource  = "${local.prefixed.backup}:backup-plan:*"
      Condition = local.making
    },
    {
      Sid    = "OurBackupPlans"
      Effect = "Allow"
      Action = [
        "backup:CreateBackupSelection", "backup:DeleteBackupPlan", "backup:DeleteBackupSelection", "backup:GetBackupPlan",
        "backup:GetBackupSelection", "backup:ListTags", "backup:TagResource", "backup:UntagResource", "backup:UpdateBackupPlan",
      ]
      Resource  = "${local.prefixed.backup}:backup-plan:*"
      Condition = local.ours
    },
    {
      Sid      = "StorageOfBackups"
      Effect   = "Allow"
      Action   = ["backup-storage:MountCapsule"]
      Resource = "*"
    },
  ]
}
