# No way into the internet: the tasks reach AWS through endpoints inside the VPC. The image must be in ECR.
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

module "network" {
  source = "../.."

  name                = "mlflow-closed"
  availability_zones  = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  nat                 = "none"
  interface_endpoints = ["ecr.api", "ecr.dkr", "logs", "secretsmanager"]
}

output "private_subnet_ids" {
  value = module.network.private_subnet_ids
}
