# A PostgreSQL that somebody else runs. Only a secret for the role mlflow is made; bootstrap makes the role.

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

module "database" {
  source = "../.."

  name = "mlflow-example"
  existing = {
    host              = "postgres.internal.example.com"
    security_group_id = "sg-0123456789abcdef0"
    # The secret is a JSON object, of which one key is the password.
    admin_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3:password::"
  }
}

output "app_secret_arn" {
  value = module.database.app_secret_arn
}
