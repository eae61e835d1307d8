# Plans with the real provider, offline: `mock_provider` knows no ephemeral resources (Terraform 1.11). What
# would ask AWS is overridden; what only AWS knows stays unknown in these plans and is tried on the emulator.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_data {
  target = data.aws_lb_listener.existing
  values = {
    protocol          = "HTTPS"
    load_balancer_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shared/0123456789abcdef"
  }
}

override_data {
  target = data.aws_lb.existing
  values = {
    dns_name   = "shared-1.eu-central-1.elb.amazonaws.com"
    zone_id    = "Z215JYRZR1TBD5"
    arn_suffix = "app/shared/0123456789abcdef"
    internal   = true
  }
}

override_resource {
  target          = aws_kms_key.server
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
}

override_resource {
  target          = aws_security_group.server
  override_during = plan
  values          = { id = "sg-00000000000000001" }
}

override_resource {
  target          = aws_security_group.load_balancer
  override_during = plan
  values          = { id = "sg-00000000000000002" }
}

override_resource {
  target          = aws_lb.server
  override_during = plan
  values = {
    arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mlflow-test/0123456789abcdef"
    arn_suffix = "app/mlflow-test/0123456789abcdef"
    dns_name   = "internal-mlflow-test-1.eu-central-1.elb.amazonaws.com"
    zone_id    = "Z215JYRZR1TBD5"
  }
}

# Their actions and policies are what these tests read.
override_module {
  target  = module.secret["admin"]
  outputs = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-test-admin-a1b2c3" }
}

override_module {
  target  = module.secret["session-key"]
  outputs = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-test-session-key-a1b2c3" }
}

override_resource {
  target          = aws_cloudwatch_log_group.server
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/mlflowctl/mlflow-test/part" }
}

variables {
  name               = "mlflow-test"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflowctl:1.0.0"
  vpc_id             = "vpc-0123456789abcdef0"
  private_subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  public_subnet_ids  = ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"]
  vpc_cidr_blocks    = ["10.20.0.0/16"]
  domain_name        = "mlflow.example.com"
  certificate_arn    = "arn:aws:acm:eu-central-1:123456789012:certificate/0"

  database = {
    host                 = "mlflow-test.abc.eu-central-1.rds.amazonaws.com"
    port                 = 5432
    name                 = "mlflow"
    security_group_id    = "sg-0123456789abcdef0"
    admin_secret_arn     = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3:password::"
    app_secret_arn       = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-d4e5f6"
    secrets_kms_key_arns = ["arn:aws:kms:eu-central-1:123456789012:key/2"]
    password_version     = 7
    max_connections      = 400
  }

  buckets = {
    artifact_bucket     = "mlflow-test-artifacts"
    registry_bucket     = "mlflow-test-registry"
    artifact_bucket_arn = "arn:aws:s3:::mlflow-test-artifacts"
    registry_bucket_arn = "arn:aws:s3:::mlflow-test-registry"
    kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/3"
  }
}

run "internal_and_https_by_default" {
  command = plan

  assert {
    condition     = aws_lb.server[0].internal && aws_lb.server[0].subnets == toset(var.private_subnet_ids)
    error_message = "the load balancer has private addresses"
  }

  assert {
    condition     = aws_lb_listener.clients[0].port == 443 && aws_lb_listener.clients[0].protocol == "HTTPS" && aws_lb_listener.clients[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    error_message = "HTTPS with a modern policy"
  }

  assert {
    condition     = aws_lb_listener.redirect[0].default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "port 80 only redirects"
  }

  assert {
    condition     = output.url == "https://mlflow.example.com"
    error_message = "clients use the name"
  }

  assert {
    condition     = length(aws_acm_certificate.server) == 0 && length(aws_route53_record.server) == 0
    error_message = "a given certificate is used; without a zone there are no records"
  }
}

run "only_the_load_balancer_reaches_the_server" {
  command = plan

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.server_from_load_balancer.security_group_id == aws_security_group.server.id &&
      aws_vpc_security_group_ingress_rule.server_from_load_balancer.referenced_security_group_id == aws_security_group.load_balancer[0].id &&
      aws_vpc_security_group_ingress_rule.server_from_load_balancer.from_port == 5000 &&
      aws_vpc_security_group_ingress_rule.server_from_load_balancer.to_port == 5000
    )
    error_message = "the server's one way in is the load balancer"
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.database_from_server.security_group_id == "sg-0123456789abcdef0" &&
      aws_vpc_security_group_ingress_rule.database_from_server.referenced_security_group_id == aws_security_group.server.id &&
      aws_vpc_security_group_ingress_rule.database_from_server.from_port == 5432
    )
    error_message = "the database's one way in is the server"
  }

  assert {
    condition     = { for key, rule in aws_vpc_security_group_ingress_rule.load_balancer_from_clients : key => rule.cidr_ipv4 } == { "10.20.0.0/16 80" = "10.20.0.0/16", "10.20.0.0/16 443" = "10.20.0.0/16" }
    error_message = "the load balancer answers the VPC only"
  }
}

run "own_certificate_in_a_zone" {
  command = plan

  variables {
    certificate_arn = null
    zone_id         = "Z0123456789ABCDEFGHIJ"
  }

  assert {
    condition     = aws_acm_certificate.server[0].domain_name == "mlflow.example.com" && aws_acm_certificate.server[0].validation_method == "DNS" && length(aws_route53_record.validation) == 1
    error_message = "a certificate is made and validated"
  }

  assert {
    condition     = aws_route53_record.server[0].name == "mlflow.example.com" && aws_route53_record.server[0].zone_id == "Z0123456789ABCDEFGHIJ"
    error_message = "the name points to the load balancer"
  }
}

run "on_the_internet_for_named_ranges_only" {
  command = plan

  variables {
    internal            = false
    allowed_cidr_blocks = ["203.0.113.0/24"]
  }

  assert {
    condition     = !aws_lb.server[0].internal && aws_lb.server[0].subnets == toset(var.public_subnet_ids)
    error_message = "public subnets"
  }

  assert {
    condition     = toset([for rule in values(aws_vpc_security_group_ingress_rule.load_balancer_from_clients) : rule.cidr_ipv4]) == toset(["203.0.113.0/24"])
    error_message = "only the named ranges, not the VPC too"
  }
}

run "plain_http_inside_the_vpc" {
  command = plan

  variables {
    danger_plain_http   = true
    domain_name         = null
    certificate_arn     = null
    allowed_cidr_blocks = ["10.20.128.0/20"]
  }

  assert {
    condition     = aws_lb_listener.clients[0].protocol == "HTTP" && aws_lb_listener.clients[0].port == 80 && length(aws_lb_listener.redirect) == 0
    error_message = "one listener, without TLS"
  }

  assert {
    condition = (
      output.url == "http://internal-mlflow-test-1.eu-central-1.elb.amazonaws.com" &&
      { for one in local.environment : one.name => one.value }["MLFLOWCTL_ALLOWED_HOSTS"] == "internal-mlflow-test-1.eu-central-1.elb.amazonaws.com"
    )
    error_message = "without a domain the load balancer's own name is the allowed host"
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.load_balancer_from_clients) == ["10.20.128.0/20 80"]
    error_message = "port 80 from the named range"
  }
}

run "existing_load_balancer" {
  command = plan

  variables {
    certificate_arn = null
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
      priority          = 7
    }
  }

  assert {
    condition     = length(aws_lb.server) + length(aws_lb_listener.clients) + length(aws_lb_listener.redirect) + length(aws_security_group.load_balancer) + length(aws_vpc_security_group_ingress_rule.load_balancer_from_clients) == 0
    error_message = "no second load balancer, and nobody new is let in"
  }

  assert {
    condition     = aws_lb_listener_rule.server[0].priority == 7 && one(aws_lb_listener_rule.server[0].condition).host_header[0].values == toset(["mlflow.example.com"])
    error_message = "a rule for the name"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.server_from_load_balancer.referenced_security_group_id == "sg-0123456789abcdef9"
    error_message = "the server lets that load balancer in"
  }

  assert {
    condition     = output.load_balancer_arn_suffix == "app/shared/0123456789abcdef"
    error_message = "alarms and autoscaling watch that load balancer"
  }
}

run "containers" {
  command = plan

  assert {
    condition     = [local.prepare["service"].name, local.bootstrap.name, local.server.name, local.probe.name] == ["prepare", "bootstrap", "server", "probe"]
    error_message = "four containers"
  }

  assert {
    condition     = !local.bootstrap.essential && local.server.essential && !local.probe.essential && !local.prepare["service"].essential
    error_message = "only the server decides whether the task lives"
  }

  assert {
    condition = (
      local.bootstrap.dependsOn == [{ containerName = "prepare", condition = "SUCCESS" }] &&
      local.server.dependsOn == [{ containerName = "bootstrap", condition = "SUCCESS" }]
    )
    error_message = "the server waits for a bootstrap that succeeded"
  }

  assert {
    condition     = alltrue([for one in [local.prepare["service"], local.prepare["command"], local.bootstrap, local.server, local.probe] : one.readonlyRootFilesystem && !one.privileged && one.linuxParameters.capabilities.drop == ["ALL"]])
    error_message = "nothing but the volumes may be written to, and nobody has capabilities"
  }

  assert {
    condition     = alltrue([for one in [local.bootstrap, local.server, local.probe] : one.user == "10001"])
    error_message = "only prepare runs as root"
  }

  assert {
    condition     = length(setintersection([for one in local.server.mountPoints : one.sourceVolume], [for one in local.bootstrap.mountPoints : one.sourceVolume])) == 0
    error_message = "the server does not see the files of bootstrap"
  }

  assert {
    condition     = strcontains(local.server.healthCheck.command[3], "/health'") && aws_lb_target_group.server.health_check[0].path == "/health"
    error_message = "liveness never asks the database"
  }

  assert {
    condition     = aws_ecs_service.server.deployment_circuit_breaker[0].enable && aws_ecs_service.server.deployment_circuit_breaker[0].rollback
    error_message = "a failed deployment is taken back"
  }

  assert {
    condition     = !aws_ecs_service.server.network_configuration[0].assign_public_ip && !aws_ecs_service.server.enable_execute_command
    error_message = "no public address, no shell"
  }
}

run "environment_without_secrets" {
  command = plan

  assert {
    condition = { for one in local.environment : one.name => one.value } == {
      AWS_DEFAULT_REGION          = "eu-central-1"
      MLFLOWCTL_ADMIN_USERNAME    = "admin"
      MLFLOWCTL_ALLOWED_HOSTS     = "mlflow.example.com"
      MLFLOWCTL_ARTIFACT_BUCKET   = "mlflow-test-artifacts"
      MLFLOWCTL_AUTH              = "true"
      MLFLOWCTL_DATABASE_HOST     = "mlflow-test.abc.eu-central-1.rds.amazonaws.com"
      MLFLOWCTL_DATABASE_NAME     = "mlflow"
      MLFLOWCTL_DATABASE_PORT     = "5432"
      MLFLOWCTL_PASSWORDS_VERSION = "database-7-login-1"
      MLFLOWCTL_REGISTRY_BUCKET   = "mlflow-test-registry"
      MLFLOW_TRACKING_URI         = "https://mlflow.example.com"
      PGSSLMODE                   = "require"
    }
    error_message = "the environment of both containers"
  }

  assert {
    condition     = [for one in local.server.secrets : one.name] == ["MLFLOWCTL_DATABASE_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"]
    error_message = "the server gets its own two secrets, and not the admin's"
  }

  assert {
    condition     = [for one in local.bootstrap.secrets : one.name] == ["MLFLOWCTL_ADMIN_PASSWORD", "MLFLOWCTL_DATABASE_ADMIN_PASSWORD", "MLFLOWCTL_DATABASE_PASSWORD"]
    error_message = "bootstrap gets the three it needs"
  }

  assert {
    condition     = !contains(keys(local.probe), "secrets")
    error_message = "the probe gets none"
  }
}

run "one_apply_changes_password_and_tasks" {
  command = plan

  variables {
    password_version = 2
  }

  assert {
    condition     = { for one in local.environment : one.name => one.value }["MLFLOWCTL_PASSWORDS_VERSION"] == "database-7-login-2"
    error_message = "the task definition follows the versions"
  }
}

run "least_privilege" {
  command = plan

  assert {
    condition     = !can(regex("s3:(Put|Delete)(Bucket|Lifecycle|Encryption|Public)|s3:CreateBucket|s3:\\*|\"\\*\"", aws_iam_role_policy.task.policy))
    error_message = "the task administers no bucket, and has no wildcard"
  }

  assert {
    condition     = alltrue([for one in jsondecode(aws_iam_role_policy.task.policy).Statement : !contains(one.Action, "s3:PutObject") || one.Resource == ["arn:aws:s3:::mlflow-test-artifacts/*"]])
    error_message = "the task writes artifacts only, never the ledger"
  }

  assert {
    condition = toset(flatten([for one in jsondecode(aws_iam_role_policy.execution.policy).Statement : one.Resource if one.Sid == "OwnSecrets"])) == toset([
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-d4e5f6",
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-test-admin-a1b2c3",
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-test-session-key-a1b2c3",
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:postgres-a1b2c3",
    ])
    error_message = "execution reads its own secrets only; a JSON key behind the ARN is not part of the permission"
  }

  assert {
    condition     = flatten([for one in jsondecode(aws_iam_role_policy.execution.policy).Statement : one.Resource if one.Sid == "DecryptOwnSecrets"]) == ["arn:aws:kms:eu-central-1:123456789012:key/0", "arn:aws:kms:eu-central-1:123456789012:key/2"]
    error_message = "the keys of both kinds of secrets"
  }

  assert {
    condition     = [for one in jsondecode(aws_iam_role_policy.execution.policy).Statement : one.Sid if one.Resource == ["*"]] == ["LogInToEcr"]
    error_message = "one action without resources, which knows none"
  }

  assert {
    condition     = flatten([for one in jsondecode(aws_iam_role_policy.execution.policy).Statement : one.Resource if one.Sid == "PullThisImage"]) == ["arn:aws:ecr:eu-central-1:123456789012:repository/mlflowctl"]
    error_message = "pulls from the image's repository only"
  }
}

run "bounded_roles" {
  command = plan

  variables {
    iam_path                 = "/mlflow/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in [aws_iam_role.task, aws_iam_role.execution] : role.path == "/mlflow/" && role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"])
    error_message = "path and boundary reach both roles"
  }
}

run "image_from_elsewhere" {
  command = plan

  variables {
    image = "registry.example.com/mlflowctl@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.execution.policy, "ecr:")
    error_message = "no rights on ECR for an image that is not there"
  }
}

run "repository_with_immutable_tags" {
  command = plan

  variables {
    create_ecr_repository = true
  }

  assert {
    condition     = aws_ecr_repository.server[0].image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.server[0].image_scanning_configuration[0].scan_on_push
    error_message = "tags never move, pushes are scanned"
  }
}

run "scales" {
  command = plan

  variables {
    min_tasks = 3
    max_tasks = 4
  }

  assert {
    condition     = aws_appautoscaling_target.server.min_capacity == 3 && aws_appautoscaling_target.server.max_capacity == 4 && aws_ecs_service.server.desired_count == 3
    error_message = "between min_tasks and max_tasks"
  }
}
