"""The context of exported variables: what tells it where the object store is."""

from __future__ import annotations

import pytest

from mlflowctl.settings import CLIENT, resolve
from mlflowctl.storage.settings import S3Settings

SERVER = {"MLFLOWCTL_CONTEXT": CLIENT, "MLFLOW_TRACKING_URI": "https://mlflow.example.com"}
BUCKETS = {"MLFLOWCTL_ARTIFACT_BUCKET": "prod-artifacts", "MLFLOWCTL_REGISTRY_BUCKET": "prod-registry"}


def test_a_model_server_in_aws_reaches_its_buckets_by_its_role():
    """What modules/serving gives a task: no keys, and no endpoint."""
    login = {"MLFLOW_TRACKING_USERNAME": "reader", "MLFLOW_TRACKING_PASSWORD": "secret"}
    context = resolve(environ=SERVER | BUCKETS | login | {"AWS_DEFAULT_REGION": "eu-central-1"})
    assert context.login is not None
    assert context.login.username == "reader"
    assert context.s3 == S3Settings(
        region="eu-central-1", artifact_bucket="prod-artifacts", registry_bucket="prod-registry", owned=False
    )


@pytest.mark.parametrize("more", [{}, {"AWS_DEFAULT_REGION": "eu-central-1"}, {"AWS_PROFILE": "work"}])
def test_nobody_told_of_a_store_so_none_is_guessed(more: dict[str, str]):
    assert resolve(environ=SERVER | more).s3 is None
