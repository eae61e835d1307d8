"""What the load works on: an experiment with runs, and a model with versions, made over the API."""

from __future__ import annotations

import json
import random
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

RUNS = 32  # one per client, so that clients do not queue on one another's rows
VERSIONS = 3


@dataclass(frozen=True)
class Data:
    """Names of the objects that the load reads and writes, and how it logs in."""

    experiment_id: str
    run_ids: list[str]
    model: str
    versions: int = VERSIONS
    authorization: str = ""


def call(url: str, path: str, body: dict[str, object], authorization: str = "") -> dict[str, Any]:
    """One POST to MLflow's REST API."""
    login = {"Authorization": authorization} if authorization else {}
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **login},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        parsed: dict[str, Any] = json.load(answer)
        return parsed


def make(url: str, model: str, authorization: str = "") -> Data:
    """Make the objects through the server at ``url``; each server under test gets its own."""

    def post(path: str, body: dict[str, object]) -> dict[str, Any]:
        return call(url, path, body, authorization)

    experiment = post("experiments/create", {"name": f"{model}-{time.time_ns()}"})["experiment_id"]
    runs = [_run(post, experiment, model) for _ in range(RUNS)]
    post("registered-models/create", {"name": model})
    for _ in range(VERSIONS):
        body = {"name": model, "source": f"runs:/{runs[0]}/model", "run_id": runs[0]}
        post("model-versions/create", body)
    transition = {"name": model, "version": "1", "stage": "Production", "archive_existing_versions": True}
    post("model-versions/transition-stage", transition)
    # With the guard in place it stands already; the call says the same again.
    post("registered-models/alias", {"name": model, "alias": "champion", "version": "1"})
    return Data(experiment, runs, urllib.parse.quote(model))


def _run(post: Callable[[str, dict[str, object]], dict[str, Any]], experiment: str, name: str) -> str:
    body = {"experiment_id": experiment, "run_name": name, "start_time": int(time.time() * 1000)}
    run_id: str = post("runs/create", body)["run"]["info"]["run_id"]
    metric = {"key": "final", "value": random.random(), "timestamp": 1, "step": 0}
    post("runs/log-batch", {"run_id": run_id, "metrics": [metric]})
    return run_id
