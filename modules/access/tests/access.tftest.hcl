# What the documents allow and deny is judged in tests/terraform/test_access_policies.py; here: what is made.

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
}

variables {
  name = "mlflow-test"
}

run "documents_only" {
  assert {
    condition     = !strcontains(output.promoter_policy, "elasticloadbalancing")
    error_message = "Where no model is served, there is nothing to move."
  }
  assert {
    condition     = length(aws_iam_policy.this) == 0 && output.deployer_policies == {} && output.policy_arns == {}
    error_message = "Nothing is made unless asked for."
  }
  assert {
    condition     = contains(jsondecode(output.reader_policy).Statement[0].Resource, "arn:aws:s3:::mlflow-test-123456789012-registry")
    error_message = "The buckets are those of artifact-store under the same name."
  }
  assert {
    condition     = output.trainer_policy == output.reader_policy
    error_message = "Where the server hands out artifacts, a trainer needs no more of S3 than a reader."
  }
  assert {
    condition     = alltrue([for statement in jsondecode(output.promoter_policy).Statement : !strcontains(jsonencode(statement), "kms:")])
    error_message = "Without a key there is nothing about keys."
  }
}

run "a_promoter_moves_traffic_where_models_are_served" {
  variables {
    traffic_rule_arns = ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/mlflow-test-fraud/0123456789abcdef/1/2"]
  }
  assert {
    condition     = flatten([for statement in jsondecode(output.promoter_policy).Statement : statement.Resource if statement.Sid == "MoveTraffic"]) == ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/mlflow-test-fraud/0123456789abcdef/1/2"]
    error_message = "The promoter changes the weights of this one rule."
  }
  assert {
    condition     = !strcontains("${output.reader_policy}${output.trainer_policy}", "elasticloadbalancing")
    error_message = "Nobody else does."
  }
}

run "buckets_of_others" {
  variables {
    artifact_bucket_arn = "arn:aws:s3:::our-artifacts"
    registry_bucket_arn = "arn:aws:s3:::our-registry"
    direct_artifacts    = true
  }
  assert {
    condition     = strcontains(output.trainer_policy, "arn:aws:s3:::our-artifacts/*") && !strcontains(output.trainer_policy, "mlflow-test-")
    error_message = "The policies name the buckets that were given."
  }
  assert {
    condition     = output.trainer_policy != output.reader_policy
    error_message = "A trainer writes artifacts."
  }
}

run "managed_policies" {
  variables {
    create_policies = true
    iam_path        = "/administration/"
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
      zone_ids                 = ["Z0123456789ABCDEFGHIJ", "Z9876543210ABCDEFGHIJ"]
      existing_listener_arns   = ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/ours/0123456789abcdef/0123456789abcdef"]
      web_acl_arns             = ["arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/ours/11111111-2222-3333-4444-555555555555"]
      kms_key_arns             = ["arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"]
      vpc_ids                  = ["vpc-0123456789abcdef0"]
      security_group_ids       = ["sg-0123456789abcdef0"]
    }
  }
  assert {
    condition     = length(aws_iam_policy.this) == 3 + length(output.deployer_policies) && aws_iam_policy.this["promoter"].name == "mlflow-test-promoter"
    error_message = "There is one policy for each document."
  }
  assert {
    condition     = alltrue([for policy in aws_iam_policy.this : policy.path == "/administration/" && length(policy.policy) <= 6144])
    error_message = "Each fits into IAM, at the path that was asked for."
  }
}

run "the_deployer_only_looks_at_buckets_of_others" {
  variables {
    artifact_bucket_arn = "arn:aws:s3:::our-artifacts"
    registry_bucket_arn = "arn:aws:s3:::our-registry"
    deployer = {
      tags                     = { Environment = "test" }
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_prefix             = "environments/test/"
    }
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(output.deployer_policies["storage"]).Statement :
      !strcontains(jsonencode(statement), "our-") || toset(flatten([statement.Action])) == toset(["s3:ListBucket", "s3:GetBucketLocation"])
    ])
    error_message = "Buckets that are there already are not changed."
  }
}
