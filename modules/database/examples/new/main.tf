# A database in a network of its own: a first password change is password_version = 2 and another apply.

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
  source = "../../../network"

  name               = "mlflow-example"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
}

module "database" {
  source = "../.."

  name       = "mlflow-example"
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids

  instance_class   = "db.t4g.medium"
  password_version = 1
}

output "host" {
  value = module.database.host
}
