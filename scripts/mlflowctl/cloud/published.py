"""What an applied environment tells about itself to any machine with credentials: no secret is in it.

``infra/aws`` writes one parameter of the Systems Manager Parameter Store, ``/mlflowctl/<environment>``,
whoever applies it and by whatever command; it is gone when the environment is destroyed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mlflowctl.cloud import aws
from mlflowctl.errors import MlflowctlError, NotFoundError

SCHEMA = "mlflowctl.environment/1"


@dataclass(frozen=True)
class Served:
    """One registered model that the environment serves (modules/serving).

    Attributes:
        url: where clients ask it.
        rule: ARN of the listener's rule whose weights divide the requests.
        groups: ARN of the target group, by variant (``champion``, ``challenger``).
        cluster: the ECS cluster.
        services: the ECS service, by variant.
    """

    url: str
    rule: str
    groups: Mapping[str, str]
    cluster: str
    services: Mapping[str, str]


@dataclass(frozen=True)
class Published:
    """One environment in AWS, as its last apply left it. Names and addresses only.

    Attributes:
        environment: its name, that of the context.
        title: in front of every name in AWS.
        region: where it is.
        account: whose it is.
        tracking_uri: the address of the MLflow server.
        artifact_bucket: the bucket of model artifacts.
        registry_bucket: the bucket of ledger, leases and evidence.
        admin_secret: ARN of the secret with the password of MLflow's first user.
        cluster: the ECS cluster.
        service: the ECS service of the tracking server.
        command_task: ARN of the task definition for one command of mlflowctl inside the VPC.
        command_logs: the log group of such commands.
        subnets: where tasks run.
        security_group: which tasks carry.
        target_group: ARN of the load balancer's target group.
        database: identifier of the RDS instance; "" if the database was there before and is not ours.
        serving: the models that it serves, by the name of the registered model.
    """

    environment: str
    title: str
    region: str
    account: str
    tracking_uri: str
    artifact_bucket: str
    registry_bucket: str
    admin_secret: str
    cluster: str
    service: str
    command_task: str
    command_logs: str
    subnets: tuple[str, ...]
    security_group: str
    target_group: str
    database: str
    serving: Mapping[str, Served] = field(default_factory=dict)


def parameter(environment: str) -> str:
    """The name of the parameter."""
    return f"/mlflowctl/{environment}"


def find(environment: str, region: str | None = None) -> Published | None:
    """What an environment published; None if there is none of that name in this account and region.

    Args:
        environment: its name.
        region: None means the region of the AWS chain.

    Raises:
        AccessError: no credentials, or they lack ssm:GetParameter.
    """
    from botocore.exceptions import ClientError

    name = parameter(environment)
    with aws.errors(f"read the parameter {name}", region or "the default region", "ssm:GetParameter"):
        try:
            answer = aws.client("ssm", region).get_parameter(Name=name, WithDecryption=True)
        except ClientError as exc:
            if aws.missing(exc):
                return None
            raise
    return parsed(name, answer["Parameter"]["Value"])


def get(environment: str, region: str | None = None) -> Published:
    """Like :func:`find`. Raises NotFoundError if the environment was never applied."""
    found = find(environment, region)
    if found is None:
        raise NotFoundError(
            f"No environment {environment!r} was applied in this account and region.",
            state="Nothing was changed.",
            next=f"mlflowctl cloud apply --context {environment}   (or log in to its account and region)",
        )
    return found


def parsed(name: str, text: str) -> Published:
    """The parameter's value. Raises MlflowctlError if another release of mlflowctl wrote it."""
    try:
        document: dict[str, Any] = json.loads(text)
        if document.pop("schema") != SCHEMA:
            raise ValueError
        served = document.pop("serving", {})  # what an earlier release applied serves nothing
        values = {one.name: document[one.name] for one in fields(Published) if one.name != "serving"}
        values["serving"] = {model: Served(**one) for model, one in served.items()}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise MlflowctlError(
            f"The parameter {name} is not as this release of mlflowctl writes it.",
            state="Nothing was changed.",
            next="Apply the environment with this release, or use the release that applied it.",
        ) from None
    return Published(**values | {"subnets": tuple(values["subnets"])})
