"""What whoever runs `terraform apply` may do, and what not: a table. Nothing was tried in an AWS account."""

from __future__ import annotations

import pytest

from tests.terraform import access_policies
from tests.terraform.emulator import ACCOUNT, REGION
from tests.terraform.iam_policies import Policy

pytestmark = pytest.mark.xdist_group("access-policies")
ARTIFACTS, REGISTRY = (f"arn:aws:s3:::mlflow-prod-{ACCOUNT}-{role}" for role in ("artifacts", "registry"))
VIA_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
TAGS = {"Project": "mlflow", "Environment": "prod"}
MAKING = {f"aws:RequestTag/{key}": value for key, value in TAGS.items()}
OURS = {f"aws:ResourceTag/{key}": value for key, value in TAGS.items()}
OTHERS = OURS | {"aws:ResourceTag/Environment": "dev"}
BOUNDARY = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/mlflow-boundary"}
STATE = f"arn:aws:s3:::mlflowctl-state-{ACCOUNT}-{REGION}"


def _arn(service: str, rest: str, *, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"


ROLE = _arn("iam", "role/mlflow/mlflow-prod-task-1", region="")
DEPLOYER_TABLE: list[tuple[bool, str, str, dict[str, str]]] = [
    # Networks, by tag.
    (True, "ec2:CreateVpc", _arn("ec2", "vpc/*"), MAKING),
    (False, "ec2:CreateVpc", _arn("ec2", "vpc/*"), {}),
    (False, "ec2:CreateVpc", _arn("ec2", "vpc/*"), MAKING | {"aws:RequestTag/Environment": "dev"}),
    (True, "ec2:CreateSubnet", _arn("ec2", "subnet/*"), MAKING),
    (True, "ec2:CreateSubnet", _arn("ec2", "vpc/vpc-1"), OURS),
    (False, "ec2:CreateSubnet", _arn("ec2", "vpc/vpc-2"), OTHERS),
    (True, "ec2:DeleteVpc", _arn("ec2", "vpc/vpc-1"), OURS),
    (False, "ec2:DeleteVpc", _arn("ec2", "vpc/vpc-2"), {}),
    (False, "ec2:RevokeSecurityGroupIngress", _arn("ec2", "security-group/sg-2"), OTHERS),
    (True, "ec2:CreateTags", _arn("ec2", "vpc/*"), MAKING | {"ec2:CreateAction": "CreateVpc"}),
    (False, "ec2:CreateTags", _arn("ec2", "vpc/vpc-2"), MAKING),
    (True, "ec2:CreateTags", _arn("ec2", "security-group/sg-1"), MAKING),
    (False, "ec2:CreateTags", _arn("ec2", "security-group/sg-2"), MAKING | OTHERS),
    (False, "ec2:RunInstances", _arn("ec2", "instance/*"), MAKING),
    (False, "ec2:DeleteTags", _arn("ec2", "vpc/vpc-2"), OTHERS),
    # Roles, within the boundary.
    (True, "iam:CreateRole", ROLE, BOUNDARY),
    (False, "iam:CreateRole", ROLE, {}),
    (
        False,
        "iam:CreateRole",
        ROLE,
        {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    (False, "iam:CreateRole", _arn("iam", "role/somebody", region=""), BOUNDARY),
    (True, "iam:PutRolePolicy", ROLE, BOUNDARY),
    (False, "iam:PutRolePolicy", ROLE, {}),
    (False, "iam:DeleteRolePermissionsBoundary", ROLE, BOUNDARY),
    (False, "iam:AttachRolePolicy", _arn("iam", "role/administrator", region=""), BOUNDARY),
    (
        False,
        "iam:CreatePolicyVersion",
        _arn("iam", "policy/administration/mlflow-prod-deployer-identity", region=""),
        {},
    ),
    (False, "iam:CreatePolicyVersion", _arn("iam", "policy/mlflow-boundary", region=""), {}),
    (False, "iam:CreateUser", _arn("iam", "user/mlflow-prod-me", region=""), {}),
    (False, "iam:CreateAccessKey", _arn("iam", "user/somebody", region=""), {}),
    (False, "sts:AssumeRole", ROLE, {}),
    (True, "iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}),
    (False, "iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    (
        False,
        "iam:PassRole",
        _arn("iam", "role/administrator", region=""),
        {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
    ),
    # Buckets and state: settings, and the one state; no object of the buckets.
    (True, "s3:PutBucketPolicy", ARTIFACTS, {}),
    (False, "s3:GetObject", f"{ARTIFACTS}/1/run/artifacts/model", {}),
    (False, "s3:GetObject", f"{REGISTRY}/ledger/m/000000000001.json", {}),
    (False, "s3:DeleteObjectVersion", f"{REGISTRY}/ledger/m/000000000001.json", {}),
    (False, "s3:PutBucketPolicy", STATE, {}),
    (True, "s3:PutObject", f"{STATE}/environments/prod/terraform.tfstate", {}),
    (True, "s3:DeleteObject", f"{STATE}/environments/prod/terraform.tfstate.tflock", {}),
    (False, "s3:DeleteObject", f"{STATE}/environments/prod/terraform.tfstate", {}),
    (False, "s3:GetObject", f"{STATE}/environments/dev/terraform.tfstate", {}),
    # By name, and not by the beginning of a name.
    (True, "rds:CreateDBInstance", _arn("rds", "db:mlflow-prod"), {}),
    (True, "rds:RestoreDBInstanceToPointInTime", _arn("rds", "db:mlflow-prod-restored"), {}),
    (False, "rds:DeleteDBInstance", _arn("rds", "db:mlflow-prod2"), {}),
    (False, "rds:DeleteDBSnapshot", _arn("rds", "snapshot:mlflow-prod-final-1"), {}),
    (True, "ecs:UpdateService", _arn("ecs", "service/mlflow-prod/mlflow-prod"), {}),
    (False, "ecs:UpdateService", _arn("ecs", "service/other/mlflow-prod"), {}),
    (
        True,
        "ecs:RunTask",
        _arn("ecs", "task-definition/mlflow-prod:3"),
        {"ecs:cluster": _arn("ecs", "cluster/mlflow-prod")},
    ),
    (
        False,
        "ecs:RunTask",
        _arn("ecs", "task-definition/mlflow-prod:3"),
        {"ecs:cluster": _arn("ecs", "cluster/other")},
    ),
    (False, "ecs:ExecuteCommand", _arn("ecs", "task/mlflow-prod/1"), {}),
    (True, "logs:PutRetentionPolicy", _arn("logs", "log-group:/mlflowctl/mlflow-prod/server"), {}),
    (False, "logs:DeleteLogGroup", _arn("logs", "log-group:/mlflowctl/mlflow-dev/server"), {}),
    (False, "iam:CreateRole", _arn("iam", "role/mlflow-prod-task-1", region=""), BOUNDARY),
    (False, "secretsmanager:GetSecretValue", _arn("secretsmanager", "secret:somebody-AbCdEf"), {}),
    (True, "ssm:PutParameter", _arn("ssm", "parameter/mlflowctl/prod"), {}),
    (False, "ssm:PutParameter", _arn("ssm", "parameter/mlflowctl/dev"), {}),
    # Keys and certificates, by tag.
    (True, "kms:CreateKey", "*", MAKING),
    (False, "kms:CreateKey", "*", {}),
    (True, "kms:ScheduleKeyDeletion", _arn("kms", "key/1"), OURS),
    (False, "kms:ScheduleKeyDeletion", _arn("kms", "key/2"), OTHERS),
    (True, "kms:CreateGrant", _arn("kms", "key/1"), OURS | {"kms:GrantIsForAWSResource": "true"}),
    (False, "kms:CreateGrant", _arn("kms", "key/1"), OURS),
    (False, "kms:Decrypt", _arn("kms", "key/1"), OURS | VIA_S3),
    (False, "acm:DeleteCertificate", _arn("acm", "certificate/2"), OTHERS),
    # The load balancer of the tracking server, and those of served models.
    (
        True,
        "elasticloadbalancing:CreateLoadBalancer",
        _arn("elasticloadbalancing", "loadbalancer/app/mlflow-prod-fraud/2"),
        MAKING,
    ),
    (
        False,
        "elasticloadbalancing:CreateLoadBalancer",
        _arn("elasticloadbalancing", "loadbalancer/app/mlflow-prod2/2"),
        MAKING,
    ),
    (
        True,
        "elasticloadbalancing:CreateRule",
        _arn("elasticloadbalancing", "listener/app/mlflow-prod-fraud/2/3"),
        MAKING,
    ),
    (
        False,
        "elasticloadbalancing:ModifyRule",
        _arn("elasticloadbalancing", "listener-rule/app/x/2/3/4"),
        OTHERS,
    ),
    (
        True,
        "elasticloadbalancing:DeleteTargetGroup",
        _arn("elasticloadbalancing", "targetgroup/mlflo-1/2"),
        OURS,
    ),
    (
        False,
        "elasticloadbalancing:DeleteLoadBalancer",
        _arn("elasticloadbalancing", "loadbalancer/app/x/2"),
        OTHERS,
    ),
    # Records, in the zone that was named.
    (True, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ", {}),
    (False, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z999", {}),
    (False, "route53:DeleteHostedZone", "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ", {}),
]


@pytest.fixture(scope="module")
def deployer(needs_terraform: str) -> Policy:
    return access_policies.deployer()


@pytest.mark.parametrize(
    ("expected", "action", "resource", "says"),
    DEPLOYER_TABLE,
    ids=[f"{action}-{number}" for number, (_, action, *_) in enumerate(DEPLOYER_TABLE)],
)
def test_deployer(expected: bool, action: str, resource: str, says: dict[str, str], deployer: Policy) -> None:
    assert deployer.allows(action, resource, **says) is expected
