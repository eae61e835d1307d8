# A network of its own: two zones, and a NAT gateway in each, so that a zone can fail.
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

  name               = "mlflow-example"
  cidr               = "10.30.0.0/16"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  nat                = "per-zone"
}

output "private_subnet_ids" {
  value = module.network.private_subnet_ids
}
