"""An environment in AWS as it looks after its apply, on an emulated account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import boto3
import pytest
from moto import mock_aws
from tests.unit.cloud.samples import KEYS, REGION, put

from mlflowctl.cloud import published
from mlflowctl.cloud.published import Published


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (KEYS | {"AWS_DEFAULT_REGION": REGION}).items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield


@pytest.fixture
def prod(aws: None) -> Published:
    """An environment that was applied: its parameter, and its admin's password."""
    secret = boto3.client("secretsmanager").create_secret(Name="admin", SecretString="the-password")
    found = Published(
        environment="prod", title="mlflow-prod", region=REGION, account="123456789012",
        tracking_uri="https://mlflow.example.com", artifact_bucket="artifacts", registry_bucket="registry",
        admin_secret=secret["ARN"], cluster="mlflow-prod", service="mlflow-prod",
        command_task="arn:aws:ecs:eu-central-1:123456789012:task-definition/mlflow-prod-command:3",
        command_logs="/mlflowctl/mlflow-prod/bootstrap", subnets=("subnet-1", "subnet-2"),
        security_group="sg-1", target_group="arn:tg", database="mlflow-prod",
    )  # fmt: skip
    put(asdict(found) | {"schema": published.SCHEMA})
    return found
