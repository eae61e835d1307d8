# Buckets that are there already. `mlflowctl doctor` tells what they lack.
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

variable "artifact_bucket" {
  type = string
}

variable "registry_bucket" {
  type = string
}

module "artifact_store" {
  source = "../.."

  name = "mlflow-example"
  existing = {
    artifact_bucket = var.artifact_bucket
    registry_bucket = var.registry_bucket
  }
}

output "artifact_bucket_arn" {
  value = module.artifact_store.artifact_bucket_arn
}
