"""An applied environment as a context on a machine that has nothing but credentials."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.unit.cloud.samples import KEYS, REGION, put

from mlflowctl import bootstrap
from mlflowctl.cloud import backend, environments, published, restore
from mlflowctl.cloud.project import Environment
from mlflowctl.cloud.published import Published
from mlflowctl.environment import client_variables
from mlflowctl.errors import (
    AccessError,
    MlflowctlError,
    NotFoundError,
    UsageError,
)
from mlflowctl.plan import Action


def test_the_parameter_is_all_that_a_context_needs(prod: Published):
    found = environments.context("prod", KEYS)
    assert found is not None
    assert found.tracking_uri == "https://mlflow.example.com"
    assert found.login is not None
    assert (found.login.username, found.login.password) == ("admin", "the-password")
    assert "the-password" not in repr(found)
    assert found.s3 is not None
    assert (found.s3.endpoint_url, found.s3.access_key_id, found.s3.owned) == (None, None, False)
    assert (found.s3.artifact_bucket, found.s3.registry_bucket) == ("artifacts", "registry")
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


def test_clients_get_names_of_buckets_but_no_keys_of_aws(prod: Published):
    context = environments.context("prod", KEYS)
    assert context is not None
    found = client_variables(context, with_s3=True)
    assert found["MLFLOWCTL_ARTIFACT_BUCKET"] == "artifacts"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_S3_ENDPOINT_URL"} & set(found)


def test_what_is_wrong_with_terraforms_buckets_is_told_and_does_not_stop_bootstrap(prod: Published):
    boto3.client("s3").create_bucket(
        Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    context = environments.context("prod", KEYS)
    assert context is not None
    steps = bootstrap.plan(context)
    told = {step.target: step.detail for step in steps if step.action is Action.ATTENTION}
    assert told["bucket registry"] == "does not exist. Terraform owns this bucket: mlflowctl cloud plan"
    assert "bucket artifacts: versioning" in told
    assert list(bootstrap.attention(steps)) == []
    assert [step for step in steps if step.effective] == []


def test_a_store_that_refuses_does_not_stop_bootstrap_either(prod: Published, monkeypatch):
    def refuse(*_: Any, **__: Any) -> Any:
        raise AccessError("S3 says no.")

    monkeypatch.setattr(bootstrap.buckets, "plan", refuse)
    context = environments.context("prod", KEYS)
    assert context is not None
    assert [step.detail for step in bootstrap.plan(context)] == ["not looked at: S3 says no."]
    assert list(bootstrap.attention(bootstrap.plan(context))) == []


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
