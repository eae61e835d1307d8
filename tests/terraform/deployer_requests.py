"""From what Terraform asked of the emulator to what AWS would judge: action, resource, condition keys.

The record (``record_deployer_calls.py``) keeps names and tags only. What it does not name is one of the
environment's own things, and carries its tags.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.terraform.emulator import ACCOUNT, REGION
from tests.terraform.iam_policies import actions, definitions
from tests.terraform.record_deployer_calls import BOUNDARY, RECORDED

TAGS = {"Project": "mlflow", "Environment": "prod"}
OURS = {f"aws:ResourceTag/{key}": value for key, value in TAGS.items()}
ROLES = f"arn:aws:iam::{ACCOUNT}:role/mlflow/"
PREFIXES = {"monitoring": "cloudwatch"}
BY_TAG = {"ec2", "elasticloadbalancing", "acm", "kms"}
# S3's operations whose permission has another name.
S3 = {
    "HeadBucket": "ListBucket",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
}
# The resource in the ARN, by the parameter that names it.
NAMED = {
    "DBInstanceIdentifier": "rds:db:{}",
    "DBParameterGroupName": "rds:pg:{}",
    "DBSubnetGroupName": "rds:subgrp:{}",
    "logGroupName": "logs:log-group:{}",
    "repositoryName": "ecr:repository/{}",
    "clusterName": "ecs:cluster/{}",
    "family": "ecs:task-definition/{}:1",
    "serviceName": "ecs:service/mlflow-prod/{}",
    "AlarmName": "cloudwatch:alarm:{}",
    "BackupVaultName": "backup:backup-vault:{}",
    "AliasName": "kms:{}",
    "Rule": "events:rule/{}",
}
# "Name" means something else in each service.
NAME = {"secretsmanager": "secret:{}-AbCdEf", "ssm": "parameter{}", "sns": "{}", "events": "rule/{}"}
WHOLE_ARNS = ("resourceArn", "ResourceArn", "ResourceARN", "SecretId", "TopicArn", "cluster", "service")

Request = tuple[str, str, dict[str, str]]


def calls() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(RECORDED.read_text())["calls"]
    return [one for one in found if one["service"] != "sts"]  # GetCallerIdentity needs no right


def requests(call: dict[str, Any]) -> Iterator[Request]:
    """What AWS would judge: action, resource and condition keys; one for each resource of the call."""
    service = PREFIXES.get(call["service"], call["service"])
    operation, tags = call["operation"], call.get("tags", {})
    if service == "s3":
        operation = S3.get(operation, operation)
    action = f"{service}:{operation}"
    context = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    for resource, more in _resources(service, action, call):
        yield action, resource, context | more


def _resources(service: str, action: str, call: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    names = call["names"]
    if action == "ec2:CreateTags":  # apart from the creation of the thing: the VPC's default group only
        yield _arn("ec2", "security-group/1"), {}
    elif service == "s3":
        yield f"arn:aws:s3:::{names['path'].strip('/')}", {}
    elif service == "iam":
        role = names.get("RoleName") or names["PolicyArn"]
        yield f"{ROLES}{role}", {"iam:PermissionsBoundary": names.get("PermissionsBoundary", BOUNDARY)}
    elif service == "route53":
        kind = "change" if "/change/" in names["path"] else "hostedzone"
        yield f"arn:aws:route53:::{kind}/Z0123456789ABCDEFGHIJ", {}
    elif service == "backup":
        vault = re.fullmatch(r"/backup-vaults/([\w-]+)/?", names["path"])
        if vault or "/tags/" in names["path"]:
            yield _arn("backup", f"backup-vault:{vault[1] if vault else 'mlflow-prod'}"), {}
        else:
            yield _arn("backup", "backup-plan:1"), {} if call["tags"] else OURS
    elif service == "application-autoscaling":
        yield _arn(service, "scalable-target/1"), {f"{service}:service-namespace": "ecs"}
    else:
        yield from _by_name_or_kind(service, action, names, bool(call["tags"]))


def _by_name_or_kind(
    service: str, action: str, names: dict[str, str], makes: bool
) -> Iterator[tuple[str, dict[str, str]]]:
    by_name = [_arn(*NAMED[key].format(value).split(":", 1)) for key, value in names.items() if key in NAMED]
    by_name += [value for key, value in names.items() if key in WHOLE_ARNS and value.startswith("arn:")]
    if "Name" in names and service in NAME:
        by_name.append(_arn(service, NAME[service].format(names["Name"])))
    kinds = [kind for kind in next(iter(actions(action).values()))["resource_types"] if kind]
    if service in BY_TAG:
        yield from ((resource, {}) for resource in by_name)
        yield from _by_kind(service, action, makes)
    elif not kinds and not makes:
        yield "*", {}
    else:
        yield from ((resource, {}) for resource in by_name or _unnamed(service, action))


def _unnamed(service: str, action: str) -> list[str]:
    """Requests that name something of ours by an id or a list, which the record does not keep."""
    return {
        "cloudwatch": [_arn("cloudwatch", "alarm:mlflow-prod-cpu")]
        if "Alarm" in action
        else [f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/mlflow-prod"],
        "ecr": [_arn("ecr", "repository/mlflow-prod")],
        "ecs": [_arn("ecs", "cluster/mlflow-prod")],
        "events": [_arn("events", "rule/mlflow-prod-deployments")],
        "rds": ["*"],
        "logs": [_arn("logs", "log-group:/mlflowctl/mlflow-prod/server")],
        "sns": [_arn("sns", "mlflow-prod-alarms")],
        "ssm": [_arn("ssm", "parameter/mlflowctl/prod")],
    }[service]


def _by_kind(service: str, action: str, makes: bool) -> Iterator[tuple[str, dict[str, str]]]:
    """Each resource that the action needs: the new one without tags yet, every other one with ours."""
    kinds = next(iter(actions(action).values()))["resource_types"]
    # Ours are application load balancers, not network ones.
    ours = {kind: told for kind, told in kinds.items() if kind and "net/" not in kind and "/net" not in kind}
    needed = [kind for kind, told in ours.items() if told["required"]]
    known = definitions()[service]["resources"]
    if not needed and not makes:
        needed = list(ours)[:1]
    for kind in needed:
        arn = re.sub(r"\$\{(\w+)\}", _filling, known[kind]["arn"])
        if kind != "alias":
            new = makes and ("aws:RequestTag/${TagKey}" in kinds[kind]["condition_keys"] or service != "ec2")
            yield arn, {} if new else OURS
    if not needed:
        yield _made_here(service, action), {}


def _made_here(service: str, action: str) -> str:
    made = {
        "CreateLoadBalancer": "loadbalancer/app/mlflow-prod/1",
        "CreateListener": "loadbalancer/app/mlflow-prod/1",
        "CreateTargetGroup": "targetgroup/mlflo-1/1",
    }
    name = action.split(":")[1]
    return _arn(service, made[name]) if name in made else "*"


def _filling(match: re.Match[str]) -> str:
    known = {"Partition": "aws", "Region": REGION, "Account": ACCOUNT, "LoadBalancerName": "mlflow-prod"}
    return known.get(match[1], "1")


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"
