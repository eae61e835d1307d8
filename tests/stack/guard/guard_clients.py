"""Plain REST clients that know nothing of the guard, and an MLflow server for them."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

VERSIONS = 6  # of each model, kept at that number: what one client deletes it registers anew
STEADY = ("steady-1", "steady-2")  # never renamed: every promotion here must succeed
RENAMED = ("renamed-a", "renamed-b")  # two names of one model that clients keep renaming
_RULE = re.compile(r"mlflowctl guard \[([\w-]+)\]")


@contextmanager
def mlflow_server(database_url: str, workers: int = 2) -> Iterator[str]:
    """MLflow's own server application on the database, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "_MLFLOW_SERVER_FILE_STORE": database_url,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": tempfile.gettempdir(),
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--workers", str(workers)]
    command += ["--loop", "uvloop", "--http", "httptools", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--log-level", "error"], env=environment, stdout=log, stderr=log
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the MLflow server ended"
        try:
            if requests.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.3)
    raise TimeoutError(url)


@dataclass
class Tally:
    """What the clients attempted and what came of it."""

    outcomes: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    promotion_seconds: list[float] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    versions: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(list))

    @property
    def attempts(self) -> int:
        return sum(self.outcomes.values())

    def percentile(self, share: float) -> float:
        ordered = sorted(self.promotion_seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

    def refusals(self) -> dict[str, int]:
        counted: collections.Counter[str] = collections.Counter()
        for (_, outcome), number in self.outcomes.items():
            if outcome != "done":
                counted[outcome] += number
        return dict(counted.most_common())


class Client:
    """One client with its own connection and its own dice."""

    def __init__(self, url: str, seed: int, tally: Tally) -> None:
        self.api = f"{url}/api/2.0/mlflow"
        self.http = requests.Session()
        self.dice = random.Random(seed)
        self.tally = tally

    def act(self) -> None:
        """One random change, of one call or of two."""
        actions = {
            self.promote: 40,
            self.promote_in_two_calls: 8,
            self.stage: 14,
            self.demote: 12,
            self.set_alias: 10,
            self.delete_alias: 4,
            self.delete_version: 6,
            self.delete_model: 2,
            self.rename: 4,
        }
        self.dice.choices(list(actions), list(actions.values()))[0](self._model())

    def promote(self, model: str) -> None:
        version, archive = self._version(model), self.dice.random() < 0.5
        began = time.monotonic()
        outcome = self._transition("promote", model, version, "Production", archive)
        if model in STEADY and outcome == "done":
            self.tally.promotion_seconds.append(time.monotonic() - began)

    def promote_in_two_calls(self, model: str) -> None:
        self._transition("archive first", model, self._version(model), "Archived", False)
        self._transition("then promote", model, self._version(model), "Production", False)

    def stage(self, model: str) -> None:
        self._transition("stage", model, self._version(model), "Staging", self.dice.random() < 0.5)

    def demote(self, model: str) -> None:
        stage = self.dice.choice(["Archived", "None"])
        self._transition("demote", model, self._version(model), stage, False)

    def set_alias(self, model: str) -> None:
        body = {"name": model, "alias": self._alias(), "version": str(self._version(model))}
        self._call("set alias", "POST", "registered-models/alias", body)

    def delete_alias(self, model: str) -> None:
        body = {"name": model, "alias": self._alias()}
        self._call("delete alias", "DELETE", "registered-models/alias", body)

    def delete_version(self, model: str) -> None:
        version = self._version(model)
        body = {"name": model, "version": str(version)}
        if self._call("delete version", "DELETE", "model-versions/delete", body) == "done":
            with contextlib.suppress(ValueError):
                self._known(model).remove(version)
            self._register(model)

    def delete_model(self, model: str) -> None:
        self._call("delete model", "DELETE", "registered-models/delete", {"name": model})

    def rename(self, _: str) -> None:
        old, new = self.dice.sample(RENAMED, 2)
        self._call("rename", "POST", "registered-models/rename", {"name": old, "new_name": new})

    def register(self, model: str) -> None:
        """A model with its versions, the first of them champion."""
        self._send("POST", "registered-models/create", {"name": model})
        for _ in range(VERSIONS):
            self._register(model)
        self._transition("promote", model, 1, "Production", False)

    def _register(self, model: str) -> None:
        body = {"name": model, "source": "s3://artifacts/model"}
        answer = self._send("POST", "model-versions/create", body)
        if answer.ok:
            self._known(model).append(int(answer.json()["model_version"]["version"]))

    def _model(self) -> str:
        return self.dice.choice((*STEADY, *STEADY, *STEADY, *RENAMED))

    def _known(self, model: str) -> list[int]:
        """Shared by all clients, so that they meet on the same versions."""
        return self.tally.versions["renamed" if model in RENAMED else model]

    def _version(self, model: str) -> int:
        return self.dice.choice(self._known(model) or [1])

    def _alias(self) -> str:
        return self.dice.choice(["champion", "champion", "challenger", "previous", "shadow"])

    def _transition(self, kind: str, model: str, version: int, stage: str, archive: bool) -> str:
        body = {"name": model, "version": str(version), "stage": stage, "archive_existing_versions": archive}
        return self._call(kind, "POST", "model-versions/transition-stage", body, steady=model in STEADY)

    def _call(
        self, kind: str, method: str, path: str, body: dict[str, object], *, steady: bool = False
    ) -> str:
        answer = self._send(method, path, body)
        rule = _RULE.search(answer.text)
        if answer.ok:
            outcome = "done"
        elif rule and answer.status_code == 400:
            outcome = rule[1]
        elif answer.status_code == 404 or answer.json().get("error_code") == "RESOURCE_ALREADY_EXISTS":
            outcome = "no such name"
        elif "StaleDataError" in answer.text or "expected to update" in answer.text:
            outcome = "renamed meanwhile"
        elif "UniqueViolation" in answer.text or "ForeignKeyViolation" in answer.text:
            outcome = (
                "lost a race of stock MLflow"  # both insert one alias; a version of a model being deleted
            )
        else:
            outcome = f"HTTP {answer.status_code}"
            self.tally.unexpected.append(f"{kind} {body}: {answer.status_code} {answer.text[:600]}")
        self.tally.outcomes[kind + (" (steady)" if steady else ""), outcome] += 1
        return outcome

    def _send(self, method: str, path: str, body: dict[str, object]) -> requests.Response:
        return self.http.request(method, f"{self.api}/{path}", json=body, timeout=60)


def run(url: str, attempts: int, versions: dict[str, list[int]], clients: int = 8) -> Tally:
    """Let the clients act at random until they attempted that many changes."""
    tally = Tally(versions=versions)

    def work(number: int) -> None:
        client = Client(url, number, tally)
        while tally.attempts < attempts:
            client.act()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally
