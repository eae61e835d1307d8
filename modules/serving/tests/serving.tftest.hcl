mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
  mock_data "aws_lb_listener" {
    defaults = {
      protocol          = "HTTPS"
      load_balancer_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shared/0123456789abcdef"
    }
  }
  mock_data "aws_lb" {
    defaults = {
      dns_name   = "shared-1.eu-central-1.elb.amazonaws.com"
      zone_id    = "Z215JYRZR1TBD5"
      arn_suffix = "app/shared/0123456789abcdef"
      internal   = true
    }
  }
  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mlflow-test-fraud/0123456789abcdef"
      arn_suffix = "app/mlflow-test-fraud/0123456789abcdef"
      dns_name   = "internal-mlflow-test-fraud-1.eu-central-1.elb.amazonaws.com"
      zone_id    = "Z215JYRZR1TBD5"
    }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/mlflow-test-fraud/0123456789abcdef/1" }
  }
  mock_resource "aws_lb_listener_rule" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/mlflow-test-fraud/0123456789abcdef/1/2" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/fra-a-1/0123456789abcdef", arn_suffix = "targetgroup/fra-a-1/0123456789abcdef" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = { arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1" }
  }
  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/mlflowctl/mlflow-test/models/fraud/part" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mlflow-test-fraud" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mlflow-test-fraud-champion:1" }
  }
}

variables {
  name               = "mlflow-test"
  model              = "fraud detection"
  short_name         = "fraud"
  image              = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflowctl:1.0.0"
  vpc_id             = "vpc-0123456789abcdef0"
  private_subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  vpc_cidr_blocks    = ["10.20.0.0/16"]
  domain_name        = "fraud.example.com"
  certificate_arn    = "arn:aws:acm:eu-central-1:123456789012:certificate/0"
  login_secret_arn   = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-reader-a1b2c3"

  tracking_server = {
    url                             = "https://mlflow.example.com"
    cluster_name                    = "mlflow-test"
    cluster_arn                     = "arn:aws:ecs:eu-central-1:123456789012:cluster/mlflow-test"
    load_balancer_security_group_id = "sg-0123456789abcdef7"
    kms_key_arn                     = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  buckets = {
    artifact_bucket     = "mlflow-test-artifacts"
    registry_bucket     = "mlflow-test-registry"
    artifact_bucket_arn = "arn:aws:s3:::mlflow-test-artifacts"
    registry_bucket_arn = "arn:aws:s3:::mlflow-test-registry"
    kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/3"
  }
}

run "two_services_of_one_model" {
  assert {
    condition     = [local.model["champion"].command, local.model["challenger"].command] == [["serve-model", "fraud detection", "--only", "champion", "--port", "8080", "--bind", "0.0.0.0", "--load-timeout", "600"], ["serve-model", "fraud detection", "--only", "challenger", "--port", "8080", "--bind", "0.0.0.0", "--load-timeout", "600"]]
    error_message = "each service serves its own variant"
  }

  assert {
    condition     = output.service_names == { champion = "mlflow-test-fraud-champion", challenger = "mlflow-test-fraud-challenger" }
    error_message = "the names of the services"
  }

  assert {
    condition     = alltrue([for one in values(aws_ecs_service.model) : one.cluster == "arn:aws:ecs:eu-central-1:123456789012:cluster/mlflow-test" && one.health_check_grace_period_seconds == 600 && one.deployment_circuit_breaker[0].enable && one.deployment_circuit_breaker[0].rollback && !one.network_configuration[0].assign_public_ip && !one.enable_execute_command])
    error_message = "models load long, a failed deployment is taken back, nothing is public"
  }

  assert {
    condition     = { for variant, one in aws_appautoscaling_target.model : variant => [one.min_capacity, one.max_capacity] } == { champion = [2, 4], challenger = [1, 2] }
    error_message = "the champion in two zones, one task for the challenger at rest"
  }
}

run "weights_at_first" {
  assert {
    condition     = sort([for one in aws_lb_listener_rule.traffic.action[0].forward[0].target_group : tostring(one.weight)]) == tolist(["0", "100"])
    error_message = "the champion gets everything"
  }

  assert {
    condition     = !aws_lb_listener_rule.traffic.action[0].forward[0].stickiness[0].enabled
    error_message = "no cookie by default"
  }

  assert {
    condition     = aws_lb_listener_rule.traffic.priority == 3 && { for variant, one in aws_lb_listener_rule.forced : variant => one.priority } == { challenger = 1, champion = 2 }
    error_message = "who names a variant is asked first"
  }

  assert {
    condition = alltrue([
      for variant, one in aws_lb_listener_rule.forced :
      [for condition in one.condition : one(condition.http_header[*].values) if length(condition.http_header) == 1] == [toset([variant])]
      && length(one.condition) == 1
    ])
    error_message = "by X-Model-Variant"
  }

  assert {
    condition     = alltrue([for one in values(aws_lb_target_group.model) : one.health_check[0].path == "/ping" && tonumber(one.deregistration_delay) == 60])
    error_message = "asked for /ping, and drained"
  }

  assert {
    condition     = one(aws_lb_listener_rule.traffic.condition).path_pattern[0].values == toset(["/*"]) && sort([for one in aws_lb_listener.clients[0].default_action[0].forward[0].target_group : tostring(one.weight)]) == tolist(["0", "100"])
    error_message = "the rule takes every request; without it the champion serves"
  }
}

run "internal_and_https_by_default" {
  assert {
    condition     = aws_lb.model[0].internal && aws_lb.model[0].enable_deletion_protection && aws_lb.model[0].subnets == toset(var.private_subnet_ids)
    error_message = "the load balancer has private addresses, and stays"
  }

  assert {
    condition     = aws_lb_listener.clients[0].port == 443 && aws_lb_listener.clients[0].protocol == "HTTPS" && aws_lb_listener.clients[0].ssl_policy == "ELBSecurityPolicy-TLS13-1-2-2021-06" && aws_lb_listener.redirect[0].default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "HTTPS with a modern policy; port 80 only redirects"
  }

  assert {
    condition     = output.url == "https://fraud.example.com" && length(aws_acm_certificate.model) + length(aws_route53_record.model) == 0
    error_message = "a given certificate is used; without a zone there are no records"
  }
}

run "only_the_load_balancer_reaches_the_model_servers" {
  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.model_from_load_balancer.security_group_id == aws_security_group.model.id &&
      aws_vpc_security_group_ingress_rule.model_from_load_balancer.referenced_security_group_id == aws_security_group.load_balancer[0].id &&
      aws_vpc_security_group_ingress_rule.model_from_load_balancer.from_port == 8080 &&
      aws_vpc_security_group_ingress_rule.model_from_load_balancer.to_port == 8080
    )
    error_message = "the one way in is the load balancer"
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.tracking_server_from_model.security_group_id == "sg-0123456789abcdef7" &&
      aws_vpc_security_group_ingress_rule.tracking_server_from_model.referenced_security_group_id == aws_security_group.model.id &&
      aws_vpc_security_group_ingress_rule.tracking_server_from_model.from_port == 443 &&
      aws_vpc_security_group_egress_rule.model_to_tracking_server.referenced_security_group_id == "sg-0123456789abcdef7"
    )
    error_message = "model servers reach MLflow"
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.load_balancer_from_clients) == ["10.20.0.0/16 443", "10.20.0.0/16 80"]
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
    condition     = aws_acm_certificate.model[0].domain_name == "fraud.example.com" && aws_acm_certificate.model[0].validation_method == "DNS" && length(aws_route53_record.validation) == 1 && aws_route53_record.model[0].name == "fraud.example.com"
    error_message = "a certificate is made and validated, the name points to the load balancer"
  }
}

run "plain_http_inside_the_vpc" {
  variables {
    danger_plain_http   = true
    domain_name         = null
    certificate_arn     = null
    allowed_cidr_blocks = ["10.20.128.0/20"]
    tracking_server = {
      url                             = "http://internal-mlflow-test-1.eu-central-1.elb.amazonaws.com"
      cluster_name                    = "mlflow-test"
      cluster_arn                     = "arn:aws:ecs:eu-central-1:123456789012:cluster/mlflow-test"
      load_balancer_security_group_id = "sg-0123456789abcdef7"
      kms_key_arn                     = "arn:aws:kms:eu-central-1:123456789012:key/1"
    }
  }

  assert {
    condition     = aws_lb_listener.clients[0].protocol == "HTTP" && aws_lb_listener.clients[0].port == 80 && length(aws_lb_listener.redirect) == 0 && keys(aws_vpc_security_group_ingress_rule.load_balancer_from_clients) == ["10.20.128.0/20 80"]
    error_message = "one listener, without TLS, for the named range"
  }

  assert {
    condition     = output.url == "http://internal-mlflow-test-fraud-1.eu-central-1.elb.amazonaws.com"
    error_message = "without a domain the load balancer's own name"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.model_to_tracking_server.from_port == 80 && aws_vpc_security_group_ingress_rule.tracking_server_from_model.to_port == 80
    error_message = "MLflow is asked where it listens"
  }
}

run "existing_load_balancer" {
  variables {
    certificate_arn = null
    existing_load_balancer = {
      listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shared/0123456789abcdef/fedcba9876543210"
      security_group_id = "sg-0123456789abcdef9"
      priority          = 7
    }
  }

  assert {
    condition     = length(aws_lb.model) + length(aws_lb_listener.clients) + length(aws_lb_listener.redirect) + length(aws_security_group.load_balancer) + length(aws_vpc_security_group_ingress_rule.load_balancer_from_clients) == 0
    error_message = "no second load balancer, and nobody new is let in"
  }

  assert {
    condition     = aws_lb_listener_rule.traffic.priority == 9 && one(aws_lb_listener_rule.traffic.condition).host_header[0].values == toset(["fraud.example.com"]) && alltrue([for one in values(aws_lb_listener_rule.forced) : length(one.condition) == 2])
    error_message = "rules for the name, from the priority on"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.model_from_load_balancer.referenced_security_group_id == "sg-0123456789abcdef9"
    error_message = "the model servers let that load balancer in"
  }

  assert {
    condition     = alltrue([for one in values(aws_appautoscaling_policy.requests) : startswith(one.target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].resource_label, "app/shared/0123456789abcdef/")])
    error_message = "autoscaling watches that load balancer"
  }
}

run "containers" {
  assert {
    condition     = alltrue([for variant in ["champion", "challenger"] : local.model[variant].essential && !local.prepare[variant].essential && local.model[variant].dependsOn == [{ containerName = "prepare", condition = "SUCCESS" }]])
    error_message = "the model server waits for its volumes"
  }

  assert {
    condition     = alltrue([for one in concat(values(local.prepare), values(local.model)) : one.readonlyRootFilesystem && !one.privileged && one.linuxParameters.capabilities.drop == ["ALL"]])
    error_message = "nothing but the volumes may be written to, and nobody has capabilities"
  }

  assert {
    condition     = alltrue([for one in values(local.model) : one.user == "10001" && [for point in one.mountPoints : point.containerPath] == ["/run/mlflowctl", "/tmp"]])
    error_message = "only prepare runs as root"
  }

  assert {
    condition = { for one in local.model["champion"].environment : one.name => one.value } == {
      AWS_DEFAULT_REGION        = "eu-central-1"
      MLFLOWCTL_ARTIFACT_BUCKET = "mlflow-test-artifacts"
      MLFLOWCTL_CONTEXT         = "client"
      MLFLOWCTL_REGISTRY_BUCKET = "mlflow-test-registry"
      MLFLOW_TRACKING_URI       = "https://mlflow.example.com"
    }
    error_message = "the environment"
  }

  assert {
    condition = { for one in local.model["challenger"].secrets : one.name => one.valueFrom } == {
      MLFLOW_TRACKING_USERNAME = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-reader-a1b2c3:username::"
      MLFLOW_TRACKING_PASSWORD = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mlflow-reader-a1b2c3:password::"
    }
    error_message = "a reader's login, by its keys"
  }

  assert {
    condition     = local.model["champion"].stopTimeout == 75
    error_message = "longer than requests may take to end"
  }
}

run "least_privilege" {
  variables {
    login_secret_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/4"
  }

  assert {
    condition = { for one in local.task_statements : one.Sid => [one.Action, one.Resource] } == {
      ReadArtifacts            = [["s3:GetObject"], ["arn:aws:s3:::mlflow-test-artifacts/*"]]
      AppendRecordsOfThisModel = [["s3:PutObject"], ["arn:aws:s3:::mlflow-test-registry/records/fraud%20detection/*"]]
      FollowThisModel = [["s3:GetObject"], [
        "arn:aws:s3:::mlflow-test-registry/ledger/fraud%20detection/*",
        "arn:aws:s3:::mlflow-test-registry/leases/fraud%20detection.json",
        "arn:aws:s3:::mlflow-test-registry/records/fraud%20detection/*",
      ]]
      ListBuckets    = [["s3:ListBucket"], ["arn:aws:s3:::mlflow-test-artifacts", "arn:aws:s3:::mlflow-test-registry"]]
      EncryptObjects = [["kms:Decrypt", "kms:GenerateDataKey"], ["arn:aws:kms:eu-central-1:123456789012:key/3"]]
    }
    error_message = "reads artifacts and its own ledger, appends its own records, and nothing else"
  }

  assert {
    condition     = one([for one in local.task_statements : jsonencode(one.Condition) if one.Sid == "AppendRecordsOfThisModel"]) == jsonencode({ Null = { "s3:if-none-match" = "false" } })
    error_message = "no record is overwritten"
  }

  assert {
    condition     = aws_iam_role_policy.task.policy == jsonencode({ Version = "2012-10-17", Statement = local.task_statements }) && aws_iam_role_policy.execution.policy == jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
    error_message = "the roles have these statements"
  }

  assert {
    condition     = flatten([for one in local.execution_statements : one.Resource if contains(["ReadersLogin", "DecryptTheLogin", "PullThisImage"], one.Sid)]) == [var.login_secret_arn, "arn:aws:kms:eu-central-1:123456789012:key/4", "arn:aws:ecr:eu-central-1:123456789012:repository/mlflowctl"]
    error_message = "ECS reads this one login and pulls this one image"
  }

  assert {
    condition     = [for one in local.execution_statements : one.Sid if one.Resource == ["*"]] == ["LogInToEcr"]
    error_message = "one action without resources, which knows none"
  }

  assert {
    condition = { for one in jsondecode(output.traffic_policy).Statement : one.Sid => [one.Action, one.Resource] } == {
      MoveTraffic   = [["elasticloadbalancing:ModifyRule"], [output.rule_arn]]
      LookAtTraffic = [["elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetHealth"], ["*"]]
    }
    error_message = "the tool may change this one rule"
  }
}

run "names_are_quoted_as_the_tool_quotes_them" {
  command = plan

  variables {
    model = "a+b~c_d*e é"
  }

  assert {
    condition     = local.quoted == "a%2Bb~c_d%2Ae%20%C3%A9"
    error_message = "Python: urllib.parse.quote('a+b~c_d*e é', safe='')"
  }
}

run "image_from_elsewhere" {
  variables {
    image = "registry.example.com/mlflowctl@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.execution.policy, "ecr:")
    error_message = "no rights on ECR for an image that is not there"
  }
}

run "bounded_roles" {
  variables {
    iam_path                 = "/mlflow/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in [aws_iam_role.task, aws_iam_role.execution] : role.path == "/mlflow/" && role.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"])
    error_message = "path and boundary reach both roles"
  }
}

run "alarms_that_mean_something" {
  variables {
    sns_topic_arn = "arn:aws:sns:eu-central-1:123456789012:mlflow-test-alarms"
  }

  assert {
    condition = output.alarm_names == tolist([
      "mlflow-test-fraud-challenger-5xx",
      "mlflow-test-fraud-challenger-no-running-task",
      "mlflow-test-fraud-challenger-unhealthy-hosts",
      "mlflow-test-fraud-champion-5xx",
      "mlflow-test-fraud-champion-no-running-task",
      "mlflow-test-fraud-champion-unhealthy-hosts",
    ])
    error_message = "the alarms"
  }

  assert {
    condition     = alltrue([for one in concat(values(aws_cloudwatch_metric_alarm.model), values(aws_cloudwatch_metric_alarm.errors)) : one.alarm_actions == toset([var.sns_topic_arn]) && one.ok_actions == toset([var.sns_topic_arn]) && length(one.alarm_description) > 40])
    error_message = "each tells the topic when it begins and when it ends, and says where to look"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.model["champion-no-running-task"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.model["champion-no-running-task"].dimensions == tomap({ ClusterName = "mlflow-test", ServiceName = "mlflow-test-fraud-champion" })
    error_message = "silence of the champion is an alarm"
  }
}
