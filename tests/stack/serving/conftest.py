"""A model whose answers are its label, registered, promoted and served on the shared stack."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlflowctl.serving.place import Place
from tests.stack.conftest import COMMAND, Stack, clean_environment

# `{"inputs": ["crash"]}` ends the server that is asked; `["fail"]` is answered with an error.
# `["who is records?"]` tells which module of that name the model would import.
LOG_MODELS = """
import mlflow, os, sys
class Told(mlflow.pyfunc.PythonModel):
    def __init__(self, label):
        self.label = label
    def load_context(self, context):
        if self.label == "unloadable":
            raise RuntimeError("this model was made not to load")
    def predict(self, context, model_input: list[str], params=None) -> list[str]:
        if "crash" in model_input:
            os._exit(9)
        if "fail" in model_input or self.label == "failing":
            print("asked to fail", flush=True)
            raise RuntimeError("asked to fail")
        if "who is records?" in model_input:
            import importlib.util
            return [str(importlib.util.find_spec("records")) for _ in model_input]
        return [self.label for _ in model_input]
mlflow.set_experiment("served")
from importlib.metadata import version
needs = [f"{name}=={version(name)}" for name in ("mlflow", "cloudpickle")]
for label in sys.argv[1:]:
    with mlflow.start_run():
        example = None if label in ("unloadable", "failing") else ["x"]
        made = mlflow.pyfunc.log_model(
            name="model", python_model=Told(label), input_example=example, pip_requirements=needs
        )
    print(f"models:/{made.model_id}")
"""
POLICY = """version: 1
models:
  {name}:
    holdout: {{data: holdout.csv, target: target}}
    metrics:
      - {{name: roc_auc, direction: higher, role: primary, rule: superior}}
    live:
      steps: [{{share: 0.1, minutes: 600}}]
"""
BODY = json.dumps({"inputs": ["x"]}).encode()


@pytest.fixture(scope="session")
def sources(stack: Stack) -> dict[str, str]:
    """Addresses of logged models by label."""
    labels = ["one", "two", "three", "unloadable", "failing"]
    environment = clean_environment(MLFLOW_TRACKING_URI=stack.uri, MLFLOW_DISABLE_TELEMETRY="true")
    done = subprocess.run(
        [sys.executable, "-c", LOG_MODELS, *labels],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = [line for line in done.stdout.splitlines() if line.startswith("models:/")]
    return dict(zip(labels, made, strict=True))


@dataclass
class Served:
    """One registered model, and what serves it."""

    stack: Stack
    name: str
    port: int
    sources: dict[str, str]
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> Place:
        return Place.of(self.stack.context, self.name)

    @property
    def state(self) -> dict[str, Any]:
        """What the supervisor last wrote down."""
        found: dict[str, Any] = json.loads(self.place.status.read_text())
        return found

    def pids(self, version: int) -> list[int]:
        servers = [one for one in self.state["servers"] if one["version"] == version]
        return [pid for one in servers if one["state"] == "ready" for pid in one["pids"]]

    def model(self, command: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """``mlflowctl model COMMAND NAME …``; the exit code is checked."""
        done = self.stack.cli("model", command, self.name, *arguments)
        assert done.returncode == code, done.stderr
        return done

    def register(self, label: str) -> None:
        self.model("register", self.sources[label], "--policy", str(self.folder / "promotion.yaml"))

    def stage(self, version: int, label: str) -> None:
        """Register and stage one more version."""
        self.register(label)
        self.model("stage", str(version), "--yes")

    def promote(self, *arguments: str, code: int = 0) -> None:
        policy = ("--policy", str(self.folder / "promotion.yaml"))
        self.model(
            "promote", "--yes", "--override-gate", "--reason", "a test", *policy, *arguments, code=code
        )

    def serve(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """``mlflowctl serve --detach``, with one server for the champion unless the arguments say more."""
        fixed = ("--detach", "--env-manager", "local", "--workers", "1", "--port", str(self.port))
        done = self.stack.cli("serve", self.name, *fixed, *arguments)
        assert done.returncode == code, done.stderr
        return done

    def stop(self) -> None:
        self.stack.cli("serve", self.name, "--stop")

    def until(self, true: Callable[[], object], within: float = 60.0) -> float:
        """Seconds until something holds."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < within, f"not within {within} s; {self.log()[-1500:]}"
            time.sleep(0.1)
        return time.monotonic() - began

    def log(self) -> str:
        return (self.place.logs / "serve.log").read_text()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def make_served(stack: Stack, sources: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Make a registered model with champion "one"; what serves it ends with the test."""
    made: list[Served] = []

    def make(name: str = "") -> Served:
        name = name or f"served-{uuid.uuid4().hex[:8]}"
        one = Served(stack, name, _free(), sources, tmp_path)
        made.append(one)
        (tmp_path / "promotion.yaml").write_text(POLICY.format(name=json.dumps(name)))
        one.stage(1, "one")
        one.promote()
        return one

    yield make
    for one in made:
        one.stop()


__all__ = ["BODY", "COMMAND", "Served"]
