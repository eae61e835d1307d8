# Everything together, watched: network, buckets, database, server, alarms, dashboard, backups.

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

variable "certificate_arn" {
  description = "Certificate for mlflow.example.com."
  type        = string
  default     = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
}

variable "password_version" {
  description = "Raise it by one to change every password."
  type        = number
  default     = 1
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

  name             = "mlflow-example"
  vpc_id           = module.network.vpc_id
  subnet_ids       = module.network.private_subnet_ids
  password_version = var.password_version
}

module "tracking_server" {
  source = "../../../tracking-server"

  name               = "mlflow-example"
  image              = "registry.example.com/mlflowctl:1.0.0"
  vpc_id             = module.network.vpc_id
  private_subnet_ids = module.network.private_subnet_ids
  vpc_cidr_blocks    = module.network.vpc_cidr_blocks

  database         = module.database
  buckets          = module.artifact_store
  password_version = var.password_version

  domain_name     = "mlflow.example.com"
  certificate_arn = var.certificate_arn
}

module "observability" {
  source = "../.."

  name        = "mlflow-example"
  server      = module.tracking_server
  database    = module.database
  alarm_email = "on-call@example.com"

  backup = {
    resource_arns = concat(
      values(module.database.instance_arns),
      [module.artifact_store.artifact_bucket_arn, module.artifact_store.registry_bucket_arn],
    )
  }
}

output "alarms" {
  value = module.observability.alarm_names
}
