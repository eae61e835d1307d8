# The usual case: a load balancer of the model's own, internal, with HTTPS, beside a tracking server.

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

variable "login_secret_arn" {
  description = "Secret with the login of a reader: {\"username\": …, \"password\": …}."
  type        = string
  default     = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-example-login-a1b2c3"
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
  source = "../../../tracking-server"

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

module "serving" {
  source = "../.."

  name               = "mlflow-example"
  model              = "fraud detection"
  short_name         = "fraud"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflow-example:1.0.0"
  vpc_id             = module.network.vpc_id
  private_subnet_ids = module.network.private_subnet_ids
  vpc_cidr_blocks    = module.network.vpc_cidr_blocks

  tracking_server  = module.tracking_server
  buckets          = module.artifact_store
  login_secret_arn = var.login_secret_arn

  domain_name = "fraud.example.com"
  zone_id     = var.zone_id
}

output "url" {
  value = module.serving.url
}
