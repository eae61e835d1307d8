# Behind a load balancer, and beside a tracking server and buckets, that exist already.

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
  description = "Subnets of the model servers."
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

variable "tracking_server" {
  description = "Where MLflow is, and the cluster and the key that its tasks use."
  type = object({
    url                             = string
    cluster_name                    = string
    cluster_arn                     = string
    load_balancer_security_group_id = string
    kms_key_arn                     = string
  })
}

module "serving" {
  source = "../.."

  name               = "mlflow-example"
  model              = "demo-digits"
  short_name         = "digits"
  image              = "registry.example.com/mlflowctl:1.0.0"
  vpc_id             = var.vpc_id
  private_subnet_ids = var.private_subnet_ids

  tracking_server  = var.tracking_server
  login_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-reader-a1b2c3"

  domain_name = "digits.example.com"
  existing_load_balancer = {
    listener_arn      = var.listener_arn
    security_group_id = var.load_balancer_security_group_id
    priority          = 210
  }

  buckets = {
    artifact_bucket     = "example-models"
    artifact_bucket_arn = "arn:aws:s3:::example-models"
    registry_bucket     = "example-registry"
    registry_bucket_arn = "arn:aws:s3:::example-registry"
  }
}

output "url" {
  value = module.serving.url
}

output "rule_arn" {
  value = module.serving.rule_arn
}

output "target_group_arns" {
  value = module.serving.target_group_arns
}
