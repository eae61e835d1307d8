# What whoever runs `terraform apply` of infra/aws for mlflow-prod needs, made once by an administrator.
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

data "aws_caller_identity" "current" {}

module "access" {
  source = "../.."

  name            = "mlflow-prod"
  parameter       = "/mlflowctl/prod"
  create_policies = true
  iam_path        = "/administration/"

  deployer = {
    tags                     = { Project = "mlflow", Environment = "prod" }
    permissions_boundary_arn = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:policy/mlflow-boundary"
    state_bucket_arn         = "arn:aws:s3:::mlflowctl-state-${data.aws_caller_identity.current.account_id}-eu-central-1"
    state_prefix             = "environments/prod/"
    iam_path                 = "/mlflow/"
    zone_ids                 = ["Z0123456789ABCDEFGHIJ"]
  }
}

output "policies" {
  value = module.access.deployer_policies
}

output "policy_arns" {
  value = module.access.policy_arns
}
