# The usual case: an internal load balancer with HTTPS. The certificate is made and validated in the zone.

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

variable "zone_id" {
  description = "Public Route 53 zone of example.com."
  type        = string
  default     = "Z0123456789ABCDEFGHIJ"
}

module "network" {
  source = "../../../network"

  name               = "mlflow-example"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
}

module "artifact_store" {
  source = "../../../artifact-store"

  name = "mlflow-example"
}

module "database" {
  source = "../../../database"

  name       = "mlflow-example"
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids
}

module "tracking_server" {
  source = "../.."

  name               = "mlflow-example"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflow-example:1.0.0"
  vpc_id             = module.network.vpc_id
  private_subnet_ids = module.network.private_subnet_ids
  vpc_cidr_blocks    = module.network.vpc_cidr_blocks

  database = module.database
  buckets  = module.artifact_store

  domain_name = "mlflow.example.com"
  zone_id     = var.zone_id
}

output "url" {
  value = module.tracking_server.url
}
