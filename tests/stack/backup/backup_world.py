"""A stack whose backup is worth having, and whole states of stacks to compare."""

from __future__ import annotations

import contextlib
import hashlib
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.stack import breaking
from tests.stack.conftest import COMMAND, Stack, clean_environment

from mlflowctl.storage import client as s3_client

LOG_A_MODEL = """
import mlflow, numpy
from mlflow.models import infer_signature
from importlib.metadata import version
needs = [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops")]
from sklearn.linear_model import LogisticRegression
x = numpy.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
model = LogisticRegression().fit(x, [0, 0, 1, 1])
mlflow.set_experiment("tiny")
with mlflow.start_run():
    mlflow.log_metric("accuracy", 1.0)
    made = mlflow.sklearn.log_model(
        model, name="model", input_example=x[:2], signature=infer_signature(x, model.predict(x)),
        pip_requirements=needs,
    )
print("models:/" + made.model_id)
"""
TABLES = (
    "experiments", "runs", "metrics", "logged_models", "registered_models", "model_versions",
    "registered_model_aliases", "registered_model_tags", "model_version_tags",
)  # fmt: skip


def log_a_model(stack: Stack) -> str:
    """Log a tiny real model; returns its address."""
    environment = clean_environment(MLFLOW_TRACKING_URI=stack.uri, MLFLOW_DISABLE_TELEMETRY="true")
    done = subprocess.run(
        [sys.executable, "-c", LOG_A_MODEL], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def rows(stack: Stack) -> dict[str, list]:
    """Every row that matters, and the guard's history."""
    found = {name: sorted(map(str, breaking.query(stack, f"SELECT * FROM {name}"))) for name in TABLES}
    return found | {"history": breaking.query(stack, "SELECT * FROM mlflowctl.history ORDER BY id")}


def objects(stack: Stack, role: str = "") -> dict[str, tuple[str, Any]]:
    """Every current object: digest of its bytes, and what else belongs to it. Leases are left out."""
    s3, found = s3_client(stack.context.s3), {}
    for one in [role] if role else ["artifacts", "registry"]:
        bucket = stack.context.s3.bucket(one)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for listed in page.get("Contents", []):
                if listed["Key"].startswith("leases/"):
                    continue
                answer = s3.get_object(Bucket=bucket, Key=listed["Key"])
                digest = hashlib.sha256()
                for piece in answer["Body"].iter_chunks(1 << 20):
                    digest.update(piece)
                meta = (answer.get("ContentType"), answer["Metadata"], answer.get("CacheControl"))
                found[f"{one}/{listed['Key']}"] = (digest.hexdigest(), meta)
    return found


def put(stack: Stack, key: str, body: bytes = b"", **more: Any) -> None:
    bucket = stack.context.s3.artifact_bucket
    s3_client(stack.context.s3).put_object(Bucket=bucket, Key=key, Body=body, **more)


def start(stack: Stack, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A command that is running, its progress to be read line by line."""
    environment = clean_environment(MLFLOWCTL_DATA_DIR=str(stack.layout.root), CI="true") | (env or {})
    return subprocess.Popen(
        [*COMMAND, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def kill_at(stack: Stack, phase: str, *arguments: str) -> None:
    """kill -9 of a command as soon as it says that it is in this phase."""
    command = start(stack, *arguments)
    assert command.stderr is not None
    said = []
    for line in command.stderr:
        said.append(line)
        if line.startswith(phase):
            command.kill()
            break
    else:
        raise AssertionError(f"never said {phase!r}: {''.join(said)}")
    assert command.wait(30) == -signal.SIGKILL


def peak_memory(stack: Stack, *arguments: str) -> float:
    """Most resident memory (MB) of one command that must succeed, its helpers not counted.

    Asked of /proc while it runs: what wait4 tells includes the process that it was forked from.
    """
    command = start(stack, *arguments)
    said = threading.Thread(target=command.communicate, daemon=True)
    said.start()
    peak = 0
    while said.is_alive():
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{command.pid}/status").read_text()
            peak = max([peak, *map(int, re.findall(r"VmHWM:\s+(\d+)", status))])
        said.join(0.02)
    assert command.returncode == 0
    return peak / 1024


def sets(place: Path) -> list[Path]:
    """The folders of the whole sets, oldest first."""
    return sorted(path.parent for path in place.glob("sets/*/manifest.jsonl"))
