"""An applied environment as a context on a machine that has nothing but credentials."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mlflowctl.cloud import backend, environments, published, restore, task
from mlflowctl.cloud.project import Environment
from mlflowctl.cloud.published import Published
from mlflowctl.errors import AccessError, MlflowctlError, NotFoundError, UnavailableError, UsageError

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION}


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
        tracking_uri="https://mlflow.example.com", artifact_bucket="a", registry_bucket="r",
        admin_secret=secret["ARN"], cluster="mlflow-prod", service="mlflow-prod",
        command_task="arn:aws:ecs:eu-central-1:123456789012:task-definition/mlflow-prod-command:3",
        command_logs="/mlflowctl/mlflow-prod/bootstrap", subnets=("subnet-1", "subnet-2"),
        security_group="sg-1", target_group="arn:tg", database="mlflow-prod",
    )  # fmt: skip
    put(asdict(found) | {"schema": published.SCHEMA})
    return found


def put(document: dict[str, Any]) -> None:
    boto3.client("ssm").put_parameter(
        Name="/mlflowctl/prod", Value=json.dumps(document), Type="SecureString", Overwrite=True
    )


def test_the_parameter_is_all_that_a_context_needs(prod: Published):
    found = environments.context("prod", KEYS)
    assert found is not None
    assert found.tracking_uri == "https://mlflow.example.com"
    assert found.login is not None
    assert (found.login.username, found.login.password) == ("admin", "the-password")
    assert "the-password" not in repr(found)
    assert found.s3 is not None
    assert (found.s3.endpoint_url, found.s3.access_key_id, found.s3.owned) == (None, None, False)
    assert (found.s3.artifact_bucket, found.s3.registry_bucket) == ("a", "r")
    assert found.database is None, "only the server reaches it"
    assert not found.is_local


def test_a_user_of_ones_own_wins_over_the_admin(prod: Published):
    found = environments.context(
        "prod", KEYS | {"MLFLOW_TRACKING_USERNAME": "ana", "MLFLOW_TRACKING_PASSWORD": "hers"}
    )
    assert found is not None
    assert found.login is not None
    assert (found.login.username, found.login.password) == ("ana", "hers")


def test_what_was_never_applied_is_no_context(aws: None):
    assert environments.context("prod", KEYS) is None
    with pytest.raises(NotFoundError) as missing:
        published.get("prod", REGION)
    assert "mlflowctl cloud apply --context prod" in missing.value.next


@pytest.mark.parametrize(
    ("exported", "words"),
    [
        ({"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:9000"}, "MLFLOW_S3_ENDPOINT_URL is exported"),
        ({"AWS_ACCESS_KEY_ID": "mlflowctl-local"}, "is no key of AWS"),
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}, "contradicts the context"),
        ({"MLFLOWCTL_REGISTRY_BUCKET": "mlflow-registry"}, "contradicts the context"),
    ],
)
def test_what_a_local_stack_exported_is_refused(prod: Published, exported: dict[str, str], words: str):
    with pytest.raises(UsageError, match=words) as refused:
        environments.context("prod", KEYS | exported)
    assert refused.value.next.startswith("unset ")


def test_without_credentials_the_way_to_log_in_is_named(aws: None, monkeypatch: pytest.MonkeyPatch):
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(AccessError) as refused:
        environments.context("prod", {"AWS_REGION": REGION})
    assert refused.value.next.startswith("Log in to AWS")


def test_without_a_region_the_variable_is_named(aws: None, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(UsageError, match="no AWS region is set") as refused:
        published.find("prod")
    assert refused.value.next == "export AWS_REGION=eu-central-1"


@pytest.mark.parametrize("damage", [{"schema": "mlflowctl.environment/9"}, {"service": None}])
def test_another_releases_parameter_is_refused(prod: Published, damage: dict[str, Any]):
    document = {
        k: v for k, v in (asdict(prod) | {"schema": published.SCHEMA} | damage).items() if v is not None
    }
    put(document)
    with pytest.raises(MlflowctlError, match="not as this release of mlflowctl writes it"):
        published.get("prod", REGION)


def test_a_command_in_the_vpc_is_one_task_of_the_servers_image_network_and_role(prod: Published):
    assert task.request(prod, ["bootstrap", "--json"], "ana") == {
        "cluster": "mlflow-prod",
        "taskDefinition": prod.command_task,
        "launchType": "FARGATE",
        "count": 1,
        "startedBy": "ana",
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "DISABLED",
            }
        },
        "overrides": {"containerOverrides": [{"name": "mlflowctl", "command": ["bootstrap", "--json"]}]},
    }


class Ecs:
    """ECS as the task runner meets it: the request is kept, the answers are given."""

    def __init__(self, started: dict[str, Any], states: list[str], container: dict[str, Any]) -> None:
        self.started, self.states, self.container = started, iter(states), container
        self.asked: dict[str, Any] = {}

    def run_task(self, **request: Any) -> dict[str, Any]:
        self.asked = request
        return self.started

    def describe_tasks(self, **_: Any) -> dict[str, Any]:
        task = {"taskArn": "arn:aws:ecs:r:1:task/c/77", "lastStatus": next(self.states)}
        return {"tasks": [task | {"containers": [{"name": "mlflowctl", **self.container}]}]}

    def get_log_events(self, **asked: Any) -> dict[str, Any]:
        assert asked["logStreamName"] == "task/mlflowctl/77"
        return {"events": [{"message": "Nothing to do."}]}


STARTED = {"tasks": [{"taskArn": "arn:aws:ecs:r:1:task/c/77"}], "failures": []}


def test_a_task_is_followed_to_its_end(prod: Published, monkeypatch: pytest.MonkeyPatch):
    ecs = Ecs(STARTED, ["PENDING", "RUNNING", "RUNNING", "STOPPED"], {"exitCode": 6})
    monkeypatch.setattr(task.aws, "client", lambda service, region: ecs)
    said: list[str] = []
    ended = task.run(prod, ["bootstrap"], said.append, poll=0)
    assert (ended.code, ended.lines) == (6, ("Nothing to do.",))
    assert ecs.asked == task.request(prod, ["bootstrap"])
    assert [line.strip() for line in said[1:]] == ["pending", "running", "stopped"]


def test_a_task_that_finds_no_place_says_why(prod: Published, monkeypatch: pytest.MonkeyPatch):
    ecs = Ecs({"tasks": [], "failures": [{"reason": "RESOURCE:FARGATE"}]}, [], {})
    monkeypatch.setattr(task.aws, "client", lambda service, region: ecs)
    with pytest.raises(UnavailableError, match="RESOURCE:FARGATE"):
        task.run(prod, ["bootstrap"], print, poll=0)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-24T21:55:00", "2999-01-01T00:00:00Z"])
def test_a_time_to_go_back_to_has_a_zone_and_has_passed(text: str):
    with pytest.raises(UsageError, match="--to-time"):
        restore.moment_of(text)


def test_a_restore_adds_a_database_and_a_switch_is_one_word(tmp_path: Path):
    (tmp_path / "infra" / "aws" / "envs").mkdir(parents=True)
    prod = Environment("prod", tmp_path)
    moment = restore.moment_of("2026-11-24T22:55:00+01:00")
    assert moment == datetime.datetime(2026, 11, 24, 21, 55, tzinfo=datetime.UTC)
    name, first = restore.beside(prod, moment)
    assert first == {
        "database_instances": {
            "main": {},
            "at20261124215500": {"restore_from": "main", "restore_time": "2026-11-24T21:55:00Z"},
        },
        "serving_database": "main",
    }
    restore.write(prod.databases, first)
    assert restore.beside(prod, moment) == (name, first), "the same command again goes on, it adds nothing"
    switched = restore.serving(prod, name)
    assert switched == first | {"serving_database": name}
    restore.write(prod.databases, switched)
    second, both = restore.beside(prod, moment + datetime.timedelta(hours=1))
    assert both["database_instances"][second]["restore_from"] == name
    with pytest.raises(NotFoundError, match="no database 'old'"):
        restore.serving(prod, "old")
    prod.databases.write_text("{")
    with pytest.raises(UsageError, match="is damaged"):
        restore.read(prod)


def test_terraform_is_not_started_with_keys_of_a_local_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mlflowctl-local")
    with pytest.raises(UsageError, match="is no key of AWS"):
        backend.right_account(Environment("prod", tmp_path, {"region": REGION}))
