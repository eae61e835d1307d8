# Policies for people and jobs; attach them to your roles or permission sets.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

variable "direct_artifacts" {
  type    = bool
  default = false
}

data "aws_caller_identity" "current" {}

module "access" {
  source = "../.."

  name             = "mlflow-prod"
  kms_key_arn      = "arn:aws:kms:eu-central-1:${data.aws_caller_identity.current.account_id}:key/11111111-2222-3333-4444-555555555555"
  parameter        = "/mlflowctl/prod"
  direct_artifacts = var.direct_artifacts
  create_policies  = true

  # rule_arn of each module serving
  traffic_rule_arns = ["arn:aws:elasticloadbalancing:eu-central-1:${data.aws_caller_identity.current.account_id}:listener-rule/app/mlflow-prod-fraud/0123456789abcdef/0123456789abcdef/0123456789abcdef"]

  login_secrets = {
    promoter = ["arn:aws:secretsmanager:eu-central-1:${data.aws_caller_identity.current.account_id}:secret:mlflow-login-ci-AbCdEf"]
  }
}

output "policies" {
  value = {
    reader   = module.access.reader_policy
    trainer  = module.access.trainer_policy
    promoter = module.access.promoter_policy
  }
}

output "policy_arns" {
  value = module.access.policy_arns
}
