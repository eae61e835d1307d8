"""How an environment in AWS is, asked of AWS itself: no Terraform, no checkout, and no way into the VPC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflowctl.cloud import aws, weights
from mlflowctl.cloud.published import Published
from mlflowctl.errors import NotFoundError


@dataclass(frozen=True)
class Part:
    """One part of an environment.

    Attributes:
        name: what it is.
        ok: whether it is as it should be.
        detail: how it is.
    """

    name: str
    ok: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


def look(found: Published) -> list[Part]:
    """Every part of the environment.

    Raises:
        AccessError: no credentials, or a right is missing; the message names it.
    """
    parts = [
        _part("tracking server", found, "ecs:DescribeServices", _server),
        _part("load balancer", found, "elasticloadbalancing:DescribeTargetHealth", _targets),
    ]
    for model in sorted(found.serving):
        for variant in ("champion", "challenger"):
            ask = _variant(model, variant)
            parts.append(_part(f"{variant} of {model}", found, "ecs:DescribeServices", ask))
    if found.database:
        parts.append(_part("database", found, "rds:DescribeDBInstances", _database))
    for role, bucket in (("artifacts", found.artifact_bucket), ("registry", found.registry_bucket)):
        parts.append(_part(f"bucket of {role}", found, "s3:ListBucket", _bucket(bucket)))
    return parts


def _part(name: str, found: Published, permission: str, ask: Callable[[Published], tuple[bool, str]]) -> Part:
    from botocore.exceptions import ClientError

    with aws.errors(f"look at the {name}", found.region, permission):
        try:
            return Part(name, *ask(found))
        except ClientError as exc:
            if aws.missing(exc):
                return Part(name, False, "does not exist")
            raise


def _server(found: Published) -> tuple[bool, str]:
    return _tasks(found, found.cluster, found.service)


def _variant(model: str, variant: str) -> Callable[[Published], tuple[bool, str]]:
    def ask(found: Published) -> tuple[bool, str]:
        served = found.serving[model]
        ok, detail = _tasks(found, served.cluster, served.services[variant])
        try:
            share = weights.read_weights(found, model)
        except NotFoundError as exc:
            return False, f"{detail}; {exc.what}"
        return ok, f"{detail}, {share if variant == 'challenger' else 1 - share:.1%} of the requests"

    return ask


def _tasks(found: Published, cluster: str, name: str) -> tuple[bool, str]:
    ecs = aws.client("ecs", found.region)
    answer = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if not answer:
        return False, f"service {name} does not exist"
    service = answer[0]
    running, desired = service["runningCount"], service["desiredCount"]
    deployments = {one["status"]: one for one in service.get("deployments", [])}
    newest = deployments.get("PRIMARY", {})
    rollout = newest.get("rolloutState", "COMPLETED")
    why = f": {newest.get('rolloutStateReason', 'no reason given')}" if rollout == "FAILED" else ""
    image = f", {service['taskDefinition'].rsplit('/', 1)[-1]}"
    ok = 0 < desired <= running and rollout != "FAILED"
    return ok, f"{running} of {desired} tasks run{image}, rollout {rollout.lower()}{why}"


def _targets(found: Published) -> tuple[bool, str]:
    balancer = aws.client("elbv2", found.region)
    answer = balancer.describe_target_health(TargetGroupArn=found.target_group)
    states = [one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]]
    healthy = states.count("healthy")
    return healthy > 0, f"{healthy} of {len(states)} targets healthy"


def _database(found: Published) -> tuple[bool, str]:
    rds = aws.client("rds", found.region)
    database = rds.describe_db_instances(DBInstanceIdentifier=found.database)["DBInstances"][0]
    status = database["DBInstanceStatus"]
    waiting = database.get("PendingModifiedValues") or {}
    words = [f"PostgreSQL {database['EngineVersion']}", status]
    words += [f"restorable to {database['LatestRestorableTime']:%Y-%m-%dT%H:%M:%SZ}"] * (
        "LatestRestorableTime" in database
    )
    words += [f"waits for its window: {', '.join(sorted(waiting))}"] * bool(waiting)
    return status in ("available", "backing-up", "modifying", "storage-optimization"), ", ".join(words)


def _bucket(name: str) -> Callable[[Published], tuple[bool, str]]:
    def ask(found: Published) -> tuple[bool, str]:
        aws.client("s3", found.region).head_bucket(Bucket=name)
        return True, name

    return ask
