# Behind a load balancer, and with a database and buckets, that exist already.

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
  description = "The VPC of all of them."
  type        = string
}

variable "private_subnet_ids" {
  description = "Subnets of the server."
  type        = list(string)
}

variable "listener_arn" {
  description = "HTTPS listener of the load balancer."
  type        = string
}

variable "load_balancer_security_group_id" {
  description = "Security group of the load balancer."
  type        = string
}

variable "database_security_group_id" {
  description = "Security group of PostgreSQL."
  type        = string
}

module "tracking_server" {
  source = "../.."

  name               = "mlflow-example"
  image              = "registry.example.com/mlflowctl:1.0.0"
  vpc_id             = var.vpc_id
  private_subnet_ids = var.private_subnet_ids

  domain_name = "mlflow.example.com"
  existing_load_balancer = {
    listener_arn      = var.listener_arn
    security_group_id = var.load_balancer_security_group_id
    priority          = 120
  }

  database = {
    host              = "postgres.internal.example.com"
    port              = 5432
    name              = "mlflow"
    security_group_id = var.database_security_group_id
    admin_secret_arn  = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3:password::"
    app_secret_arn    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-d4e5f6"
  }

  buckets = {
    artifact_bucket     = "example-models"
    artifact_bucket_arn = "arn:aws:s3:::example-models"
    registry_bucket     = "example-registry"
    registry_bucket_arn = "arn:aws:s3:::example-registry"
  }
}

output "url" {
  value = module.tracking_server.url
}
