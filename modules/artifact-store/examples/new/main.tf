# Two new buckets with a key of their own; artifacts move to cheaper storage by themselves.
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

module "artifact_store" {
  source = "../.."

  name             = "mlflow-example"
  artifact_tiering = { storage_class = "INTELLIGENT_TIERING", after_days = 0 }
}

output "artifact_bucket" {
  value = module.artifact_store.artifact_bucket
}

output "registry_bucket" {
  value = module.artifact_store.registry_bucket
}
