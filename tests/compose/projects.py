"""Compose projects for the tests: copies of what a user has after cloning, each with ports of its own."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.client import Engine
from tests.stack.conftest import clean_environment, run_cli

ROOT = Path(__file__).resolve().parents[2]
# What a build and a start need of a checkout.
PARTS = (
    "docker-compose.yml",
    "docker",
    "scripts",
    "pyproject.toml",
    "constraints.txt",
    "README.md",
    "LICENSE",
    ".env.example",
    ".dockerignore",
)
API = "/api/2.0/mlflow/"
LONG_LIVED = ("postgres", "object-store", "mlflow")


@dataclass
class ComposeProject:
    """One Compose project in a folder of its own, driven as a user would."""

    engine: Engine
    folder: Path
    name: str
    _pids: dict[str, int] = field(default_factory=dict)

    def compose(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.engine.compose(self.folder, *arguments, **options)

    def cli(
        self, *arguments: str, timeout: float = 600, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """``mlflowctl`` in the project's folder, with nothing exported but the way to the engine.

        The context is named: other tests run embedded stacks on this machine at the same time.
        """
        environment = clean_environment(**self.engine.environment) | (env or {})
        return run_cli("--context", "compose", *arguments, env=environment, cwd=self.folder, timeout=timeout)

    def up(self, *arguments: str) -> float:
        """``docker compose up --wait``; the seconds that it took."""
        began = time.monotonic()
        done = self.compose("up", "--detach", "--wait", *arguments, timeout=900, check=False)
        assert done.returncode == 0, done.stderr[-1500:] + self.compose("logs", "--tail", "25").stdout
        return time.monotonic() - began

    def down(self, *arguments: str) -> None:
        self.compose("down", "--remove-orphans", *arguments, check=False)

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).stdout.split()[0]

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", self.container(service)).stdout)[0]
        return found

    def variables(self) -> dict[str, str]:
        lines = [line for line in (self.folder / ".env").read_text().splitlines() if "=" in line]
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def set_variable(self, name: str, value: str) -> None:
        """As a person edits ``.env``."""
        file = self.folder / ".env"
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{name}=")]
        file.write_text("\n".join([*kept, f"{name}={value}"]) + "\n")

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.variables()['MLFLOW_PORT']}"

    @property
    def s3(self) -> str:
        return f"http://127.0.0.1:{self.variables()['S3_PORT']}"

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text().strip()

    def secrets(self) -> dict[str, str]:
        """Every secret value that must never be seen, by the file that holds it."""
        found = {}
        for file in (self.folder / "secrets").rglob("*"):
            if (
                file.is_file()
                and file.suffix in (".password", ".key")
                and "BEGIN CERT" not in file.read_text()
            ):
                found[file.name] = file.read_text().strip().splitlines()[0 if file.name != "node.key" else 1]
        found["s3-credentials.ini"] = (
            self.secret("s3-credentials.ini").split("aws_secret_access_key = ")[1].split()[0]
        )
        return found

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        login: tuple[str, str] | None = None,
        host: str | None = None,
        timeout: float = 20,
    ) -> tuple[int, str]:
        """Status and text of one request to the server, with the admin's login unless another is given."""
        user, password = login if login is not None else ("admin", self.secret("mlflow-admin.password"))
        headers = {"Content-Type": "application/json"}
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if host:
            headers["Host"] = host
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.uri + path, data=data, headers=headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode(errors="replace")

    def api(
        self, method: str, path: str, body: dict[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """The answer of an API call that must succeed."""
        status, text = self.request(method, API + path, body, **options)
        assert status == 200, text
        answer: dict[str, Any] = json.loads(text)
        return answer

    def serving(self, within: float) -> float:
        """Seconds until an API call that reads the database succeeds; fails after ``within``."""
        began = time.monotonic()
        while True:
            try:
                self.api("GET", "registered-models/search?max_results=1", timeout=3)
                return time.monotonic() - began
            except (AssertionError, OSError) as exc:
                if time.monotonic() - began > within:
                    raise AssertionError(f"not serving after {within:.0f} s") from exc
                time.sleep(0.1)

    def leftovers(self) -> dict[str, list[str]]:
        """Containers, volumes and networks that carry the project's label."""
        label = f"label=com.docker.compose.project={self.name}"
        return {
            kind: self.engine.docker(*command, "--quiet", "--filter", label).stdout.split()
            for kind, command in {
                "containers": ("ps", "--all"),
                "volumes": ("volume", "ls"),
                "networks": ("network", "ls"),
            }.items()
        }


def make(engine: Engine, folder: Path, name: str) -> ComposeProject:
    """A copy of the checkout in ``folder``, set up by ``compose init`` under free ports; not started."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy2(source, folder / part)
    made = ComposeProject(engine, folder, name)
    done = made.cli("compose", "init", "--auto-ports", "--project", name)
    assert done.returncode == 0, done.stderr
    return made
