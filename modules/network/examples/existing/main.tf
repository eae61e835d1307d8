# A network that somebody else runs: looked at, not touched.
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

variable "vpc_id" {
  type = string
}

variable "private_subnet_ids" {
  type = list(string)
}

module "network" {
  source = "../.."

  name = "mlflow-example"
  existing = {
    vpc_id             = var.vpc_id
    private_subnet_ids = var.private_subnet_ids
  }
}

output "vpc_cidr_blocks" {
  value = module.network.vpc_cidr_blocks
}
