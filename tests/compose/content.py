"""Something worth keeping in a Compose project: a real model that became champion through the command."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable

import requests

from tests.compose.projects import ComposeProject
from tests.stack.conftest import clean_environment

MODEL = "tiny model"
BODY = json.dumps({"inputs": [[0.0, 1.0]]}).encode()  # a question that it answers
POLICY = f"""
version: 1
models:
  {MODEL}:
    business:
      - {{name: accuracy, source: run, metric: accuracy, direction: higher, role: threshold, threshold: 0.5}}
"""
LOG = """
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


def log_a_model(project: ComposeProject) -> str:
    """Log a tiny real model with what ``mlflowctl env`` prints; returns its address."""
    exported = json.loads(project.cli("env", "--format", "json").stdout)
    done = subprocess.run(
        [sys.executable, "-c", LOG],
        env=clean_environment(MLFLOW_DISABLE_TELEMETRY="true", **exported),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def become_champion(project: ComposeProject, address: str, version: int) -> None:
    """Register, stage and promote one version."""
    (project.folder / "promotion.yaml").write_text(POLICY)
    why = ("--reason", "test", "--yes")
    for command in (
        ("register", MODEL, address, *why),
        ("stage", MODEL, str(version), *why),
        ("promote", MODEL, "--override-gate", *why),
    ):
        done = project.cli("model", *command)
        assert done.returncode == 0, done.stderr
    assert champion(project) == version


def stage(project: ComposeProject, address: str, version: int) -> None:
    """Register one more version as the challenger."""
    for command in (("register", MODEL, address), ("stage", MODEL, str(version))):
        done = project.cli("model", *command, "--reason", "test", "--yes")
        assert done.returncode == 0, done.stderr


def champion(project: ComposeProject) -> int | None:
    """The version in Production, as any client sees it; fails on two."""
    found = project.api("GET", f"model-versions/search?filter=name%3D%27{MODEL.replace(' ', '%20')}%27")
    production = [
        int(one["version"]) for one in found.get("model_versions", []) if one["current_stage"] == "Production"
    ]
    assert len(production) <= 1
    return production[0] if production else None


def sql(project: ComposeProject, statement: str) -> str:
    """Execute a statement as the database's administrator."""
    command = (
        'PGPASSWORD="$(cat /run/secrets/postgres-admin.password)" '
        'psql -h 127.0.0.1 -U mlflowctl_admin -d mlflow -v ON_ERROR_STOP=1 -XAtqc "$1"'
    )
    done = project.compose("exec", "-T", "postgres", "sh", "-c", command, "sh", statement)
    return done.stdout.strip()


def until(true: Callable[[], object], within: float = 60.0) -> None:
    """Wait until something holds; what it raises meanwhile says only that it does not yet."""
    began, why = time.monotonic(), ""
    while True:
        try:
            if true():
                return
        except (requests.RequestException, AssertionError, RuntimeError) as exc:
            why = str(exc)
        assert time.monotonic() - began < within, f"not within {within} s {why}"
        time.sleep(0.2)
