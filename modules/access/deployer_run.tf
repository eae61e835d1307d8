# Containers, logs, alarms, and the roles of it all.

locals {
  deployer_compute = [
    {
      Sid    = "OurCluster"
      Effect = "Allow"
      Action = [
        "ecs:CreateCluster", "ecs:CreateService", "ecs:DeleteCluster", "ecs:DeleteService", "ecs:DescribeClusters", "ecs:DescribeServices",
        "ecs:DescribeTasks", "ecs:ListTagsForResource", "ecs:StopTask", "ecs:TagResource",
        "ecs:UntagResource", "ecs:UpdateCluster", "ecs:UpdateClusterSettings", "ecs:UpdateService",
        "ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions",
      ]
      Resource = concat(
        ["${local.prefixed.ecs}:cluster/${var.name}"],
        [for kind in ["service", "task", "service-deployment", "service-revision"] : "${local.prefixed.ecs}:${kind}/${var.name}/*"],
        ["${local.prefixed.ecs}:task-definition/${var.name}:*", "${local.prefixed.ecs}:task-definition/${var.name}-*:*"],
      )
    },
    {
      Sid       = "OneOffTasks"
      Effect    = "Allow"
      Action    = ["ecs:RunTask"]
      Resource  = ["${local.prefixed.ecs}:task-definition/${var.name}:*", "${local.prefixed.ecs}:task-definition/${var.name}-*:*"]
      Condition = { ArnEquals = { "ecs:cluster" = "${local.prefixed.ecs}:cluster/${var.name}" } }
    },
    {
      Sid       = "MakeTaskDefinitions"
      Effect    = "Allow"
      Action    = ["ecs:RegisterTaskDefinition"]
      Resource  = "*"
      Condition = local.making
    },
    {
      # AWS cannot narrow these.
      Sid      = "TaskDefinitions"
      Effect   = "Allow"
      Action   = ["ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTasks"]
      Resource = "*"
    },
    {
      # Their ARN holds no name, and only the registration knows tags.
      Sid    = "ScaleServices"
      Effect = "Allow"
      Action = [
        "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget",
        "application-autoscaling:PutScalingPolicy", "application-autoscaling:RegisterScalableTarget",
      ]
      Resource  = "arn:${local.partition}:application-autoscaling:${local.here}:scalable-target/*"
      Condition = { StringEquals = { "application-autoscaling:service-namespace" = "ecs" } }
    },
    {
      Sid    = "TagScaling"
      Effect = "Allow"
      Action = [
        "application-autoscaling:ListTagsForResource", "application-autoscaling:TagResource", "application-autoscaling:UntagResource",
      ]
      Resource = "arn:${local.partition}:application-autoscaling:${local.here}:scalable-target/*"
    },
    {
      Sid      = "LookAtScaling"
      Effect   = "Allow"
      Action   = ["application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies"]
      Resource = "*"
    },
    {
      Sid    = "OurImages"
      Effect = "Allow"
      Action = [
        "ecr:CreateRepository", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DescribeRepositories",
        "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy", "ecr:TagResource", "ecr:UntagResource",
      ]
      Resource = "${local.prefixed.ecr}:repository/${var.name}"
    },
  ]

  deployer_watch = [
    {
      Sid    = "OurLogs"
      Effect = "Allow"
      Action = [
        "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteMetricFilter",
        "logs:DescribeLogStreams", "logs:DescribeMetricFilters", "logs:DisassociateKmsKey", "logs:FilterLogEvents", "logs:GetLogEvents",
        "logs:ListTagsForResource", "logs:PutMetricFilter", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
      ]
      Resource = flatten([for group in [
        "/mlflowctl/${var.name}/*", "/aws/rds/instance/${var.name}/*", "/aws/rds/instance/${var.name}-*", "/aws/events/mlflowctl/${var.name}",
      ] : ["${local.prefixed.logs}:log-group:${group}", "${local.prefixed.logs}:log-group:${group}:*"]])
    },
    {
      # AWS cannot narrow these. The delivery of flow logs is set up by the service on behalf of the caller.
      Sid    = "LogsOfTheAccount"
      Effect = "Allow"
      Action = [
        "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DeleteResourcePolicy", "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies", "logs:PutResourcePolicy",
      ]
      Resource = "*"
    },
    {
      Sid    = "OurAlarms"
      Effect = "Allow"
      Action = [
        "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm",
        "cloudwatch:TagResource", "cloudwatch:UntagResource",
      ]
      Resource = "arn:${local.partition}:cloudwatch:${local.here}:alarm:${var.name}-*"
    },
    {
      Sid      = "OurDashboard"
      Effect   = "Allow"
      Action   = ["cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"]
      Resource = "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.name}"
    },
    {
      Sid    = "OurTopic"
      Effect = "Allow"
      Action = [
        "sns:CreateTopic", "sns:DeleteTopic", "sns:GetTopicAttributes", "sns:ListTagsForResource",
        "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource",
      ]
      Resource = "${local.prefixed.sns}:${var.name}-*"
    },
    {
      Sid      = "OurSubscriptions" # their ARN holds the topic's, but AWS asks for no resource
      Effect   = "Allow"
      Action   = ["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"]
      Resource = "*"
    },
    {
      Sid    = "OurEvents"
      Effect = "Allow"
      Action = [
        "events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule", "events:PutRule",
        "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
      ]
      Resource = "${local.prefixed.events}:rule/${var.name}-*"
    },
  ]

  our_roles = "arn:${local.partition}:iam::${local.account}:role${local.d.iam_path}${var.name}-*"
  bounded   = { StringEquals = { "iam:PermissionsBoundary" = local.d.permissions_boundary_arn } }

  deployer_identity = [
    {
      # The boundary is what keeps this from being everything: no role without it, and none whose rights are
      # changed without it.
      Sid    = "RolesWithinTheBoundary"
      Effect = "Allow"
      Action = [
        "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
      ]
      Resource  = local.our_roles
      Condition = local.bounded
    },
    {
      Sid    = "OurRoles"
      Effect = "Allow"
      Action = [
        "iam:DeleteRole", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole",
        "iam:ListRolePolicies", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",

      ]
      Resource = local.our_roles
    },
    {
      Sid      = "HandRolesToTheirServices"
      Effect   = "Allow"
      Action   = ["iam:PassRole"]
      Resource = local.our_roles
      Condition = {
        StringEquals = {
          "iam:PassedToService" = ["backup.amazonaws.com", "ecs-tasks.amazonaws.com", "monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
        }
      }
    },
    {
      Sid      = "RolesOfAwsItself"
      Effect   = "Allow"
      Action   = ["iam:CreateServiceLinkedRole"]
      Resource = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/*"
      Condition = {
        StringEquals = {
          "iam:AWSServiceName" = [
            "backup.amazonaws.com", "ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com",
            "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com", "wafv2.amazonaws.com",
          ]
        }
      }
    },
  ]
}
