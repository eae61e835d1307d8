"""Breaking a stack in one way, and putting it right again: shared by the tests of smoke test and doctor."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from mlflowctl.database.connect import admin
from mlflowctl.errors import NotFoundError
from mlflowctl.registry import ledger
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.port import RETIRE_TAG
from mlflowctl.stack import health, supervisor
from mlflowctl.storage import client as s3_client


@contextlib.contextmanager
def without_database(stack) -> Iterator[None]:
    """PostgreSQL is stopped for the block, and its supervisor is kept from starting it again."""
    keeper = supervisor.running(stack.layout)
    os.kill(keeper.pid, signal.SIGSTOP)
    try:
        process = supervisor.components(stack.layout)["postgres"]
        process.send_signal(signal.SIGINT)
        while process.is_running():
            if process.status() == "zombie":  # its parent is asleep
                break
            time.sleep(0.05)
        yield
    finally:
        os.kill(keeper.pid, signal.SIGCONT)
        stack.serving(30, lambda: health.database(stack.context.database))
        stack.serving(60)


@contextlib.contextmanager
def without_artifact_bucket(stack) -> Iterator[None]:
    """The artifact bucket, with all in it, is deleted; afterwards bootstrap makes it again."""
    s3, bucket = s3_client(stack.context.s3), stack.context.s3.artifact_bucket
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
    s3.delete_bucket(Bucket=bucket)
    with restored(stack):
        yield


@contextlib.contextmanager
def wrong_server_keys(stack) -> Iterator[None]:
    """The MLflow server works with a wrong S3 secret, and so does the stack's context (one file)."""
    file = stack.layout.secrets / "s3-credentials.ini"
    good = file.read_text()
    file.write_text(good.split("aws_secret_access_key")[0] + "aws_secret_access_key = wrong\n")
    try:
        _restart_server(stack)
        yield
    finally:
        file.write_text(good)
        _restart_server(stack)


def _restart_server(stack) -> None:
    process = supervisor.components(stack.layout)["mlflow"]
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    stack.serving(60)


@contextlib.contextmanager
def sql(stack, *statements: str) -> Iterator[None]:
    """The statements were executed; afterwards bootstrap puts the guard right."""
    execute(stack, *statements)
    with restored(stack):
        yield


def execute(stack, *statements: str) -> None:
    """As the owner of MLflow's tables or as the administrator, whoever may."""
    with admin(stack.context.database) as connection, connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def query(stack, text: str) -> list:
    with admin(stack.context.database) as connection, connection, connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def forget_models(stack) -> None:
    """Delete every registered model that has a ledger; the ledgers stay."""
    desk = Desk(stack.context)
    for model in ledger.models(desk.objects):
        with contextlib.suppress(NotFoundError):
            desk.registry.tag_model(model, RETIRE_TAG, "true")
            desk.registry.rest.post("registered-models/delete", {"name": model}, method="DELETE")


@contextlib.contextmanager
def restored(stack) -> Iterator[None]:
    """Bootstrap after the block."""
    try:
        yield
    finally:
        done = stack.cli("bootstrap", "--mend", "--yes")
        assert done.returncode == 0, done.stderr


def contents(stack) -> dict[str, object]:
    """Everything that a smoke test could leave: rows and object versions."""
    tables = ("experiments", "runs", "logged_models", "registered_models", "model_versions", "params", "tags")
    found: dict[str, object] = {name: query(stack, f"SELECT count(*) FROM {name}") for name in tables}
    s3, bucket = s3_client(stack.context.s3), stack.context.s3.artifact_bucket
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        keys = [one["Key"] for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
        found.setdefault("objects", []).extend(keys)  # type: ignore[attr-defined]
    return found
