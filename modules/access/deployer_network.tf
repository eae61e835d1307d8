# Network and security groups, load balancer, certificate and record.

locals {
  deployer_network = concat([
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute", "ec2:DescribeAvailabilityZones",
        "ec2:DescribeFlowLogs", "ec2:DescribeInternetGateways", "ec2:DescribeNatGateways", "ec2:DescribeNetworkAcls",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribePrefixLists", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcAttribute", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
      ]
      Resource = "*"
    },
    {
      Sid    = "MakeWithOurTags"
      Effect = "Allow"
      Action = [
        "ec2:AllocateAddress", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateFlowLogs",
        "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup",
        "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
      ]
      Resource = [for kind in [
        "elastic-ip", "internet-gateway", "natgateway", "route-table", "security-group", "security-group-rule", "subnet",
        "vpc", "vpc-endpoint", "vpc-flow-log",
      ] : "${local.prefixed.ec2}:${kind}/*"]
      Condition = local.making
    },
    {
      Sid    = "ChangeOurs"
      Effect = "Allow"
      Action = [
        # With what a new one is made in or of; the new one itself falls under the statement above.
        "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateFlowLogs", "ec2:CreateNatGateway",
        "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint",
        "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:CreateRoute", "ec2:DeleteFlowLogs",
        "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable",
        "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway",
        "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute",
        "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:ReplaceRoute",
        "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
        "ec2:UpdateSecurityGroupRuleDescriptionsEgress", "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
      ]
      Resource  = "${local.prefixed.ec2}:*/*"
      Condition = local.ours
    },
    {
      Sid       = "TagWhatIsMade"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = "${local.prefixed.ec2}:*/*"
      Condition = { Null = { "ec2:CreateAction" = "false" } }
    },
    {
      Sid       = "TagOurs"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = "${local.prefixed.ec2}:*/*"
      Condition = local.ours
    },
    {
      # The default group of a new VPC is born without tags. It is adopted, then emptied.
      Sid       = "AdoptTheDefaultSecurityGroup"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = "${local.prefixed.ec2}:security-group/*"
      Condition = merge(local.making, { Null = { for key in keys(local.d.tags) : "aws:ResourceTag/${key}" => "true" } })
    },
    ],
    [for statement in [
      {
        Sid      = "SecurityGroupsInTheVpcOfOthers"
        Effect   = "Allow"
        Action   = ["ec2:CreateSecurityGroup"]
        Resource = [for id in local.d.vpc_ids : "${local.prefixed.ec2}:vpc/${id}"]
      },
    ] : statement if length(local.d.vpc_ids) > 0],
    [for statement in [
      {
        Sid      = "RulesInSecurityGroupsOfOthers"
        Effect   = "Allow"
        Action   = ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"]
        Resource = [for id in local.d.security_group_ids : "${local.prefixed.ec2}:security-group/${id}"]
      },
    ] : statement if length(local.d.security_group_ids) > 0],
  )

  deployer_entry = concat(
    [
      {
        Sid    = "Look"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancerAttributes",
          "elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules",
          "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
        ]
        Resource = "*"
      },
      {
        Sid    = "MakeWithOurTags"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateRule",
          "elasticloadbalancing:CreateTargetGroup",
        ]
        # That of the tracking server, and one of each model that is served: <name>-<short name>.
        Resource = concat(
          flatten([for kind in ["loadbalancer", "listener"] : ["${local.elb}:${kind}/app/${var.name}/*", "${local.elb}:${kind}/app/${var.name}-*/*"]]),
          ["${local.elb}:targetgroup/*"],
        )
        Condition = local.making
      },
      {
        Sid    = "ChangeOurs"
        Effect = "Allow"
        Action = [
          "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteRule",
          "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:ModifyListener",
          "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyRule",
          "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
          "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetSecurityGroups",
          "elasticloadbalancing:SetSubnets", "elasticloadbalancing:AddTags",
        ]
        Resource  = "${local.elb}:*/*"
        Condition = local.ours
      },
      {
        Sid       = "TagWhatIsMade"
        Effect    = "Allow"
        Action    = ["elasticloadbalancing:AddTags"]
        Resource  = "${local.elb}:*/*"
        Condition = { Null = { "elasticloadbalancing:CreateAction" = "false" } }
      },
      {
        Sid       = "RequestCertificate"
        Effect    = "Allow"
        Action    = ["acm:RequestCertificate", "acm:AddTagsToCertificate"]
        Resource  = "*"
        Condition = local.making
      },
      {
        Sid       = "OurCertificate"
        Effect    = "Allow"
        Action    = ["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate", ]
        Resource  = "arn:${local.partition}:acm:${local.here}:certificate/*"
        Condition = local.ours
      },
      {
        Sid      = "LookAtCertificates"
        Effect   = "Allow"
        Action   = ["acm:DescribeCertificate", "acm:ListTagsForCertificate"]
        Resource = "arn:${local.partition}:acm:${local.here}:certificate/*"
      },
    ],
    [for statement in [
      {
        Sid      = "RulesOfTheExistingListener"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:CreateRule"]
        Resource = local.d.existing_listener_arns
      },
    ] : statement if length(local.d.existing_listener_arns) > 0],
    [for statement in [
      {
        Sid      = "RecordsOfOurZones"
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets"]
        Resource = [for id in local.d.zone_ids : "arn:${local.partition}:route53:::hostedzone/${id}"]
      },
      {
        Sid      = "WaitForRecords"
        Effect   = "Allow"
        Action   = ["route53:GetChange"]
        Resource = ["arn:${local.partition}:route53:::change/*"]
      },
    ] : statement if length(local.d.zone_ids) > 0],
    [for statement in [
      {
        Sid      = "PutTheFirewallBefore"
        Effect   = "Allow"
        Action   = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACL", "wafv2:GetWebACLForResource"]
        Resource = concat(local.d.web_acl_arns, ["${local.elb}:loadbalancer/app/${var.name}/*"])
      },
      {
        Sid      = "TellTheLoadBalancer" # AWS cannot narrow it
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:SetWebAcl"]
        Resource = "*"
      },
    ] : statement if length(local.d.web_acl_arns) > 0],
  )
}
