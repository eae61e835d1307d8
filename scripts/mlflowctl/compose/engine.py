"""Speaking to Docker Compose about one project, with errors that say what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlflowctl.compose.project import Project
from mlflowctl.errors import MlflowctlError, UnavailableError, UsageError

TIMEOUT = 60.0  # seconds for a question; work such as a build has no limit
OLDEST = (2, 24)  # "depends_on" of one-shots, "--wait" and secrets as the project uses them
SERVICES = ("postgres", "object-store", "mlflow", "serving")
OPTIONAL = ("serving",)  # of a profile


@dataclass(frozen=True)
class Container:
    """One container of a project, as the engine sees it.

    Attributes:
        service: its name in docker-compose.yml.
        state: ``running``, ``exited``, ``restarting`` …
        health: ``healthy``, ``unhealthy``, ``starting``, or "" without a health check.
        status: the engine's own words ("Up 2 minutes (healthy)").
        exit_code: of a container that ended.
        image: by which name it was started.
    """

    service: str
    state: str
    health: str
    status: str
    exit_code: int
    image: str


class Compose:
    """Docker Compose in the folder of one project.

    Args:
        project: the project; its folder decides which files and ``.env`` Compose reads.
    """

    def __init__(self, project: Project) -> None:
        self.project = project

    def ask(self, *arguments: str, timeout: float | None = TIMEOUT) -> str:
        """What ``docker compose ARGUMENTS`` prints.

        Raises:
            UsageError: Docker or its Compose plugin is not installed, or the project is incomplete.
            UnavailableError: the engine does not answer.
            MlflowctlError: Compose failed; its last words are in the message.
        """
        try:
            done = subprocess.run(
                self.command(*arguments),
                cwd=self.project.folder,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(
                f"docker compose {arguments[0]} did not answer within {timeout:.0f} s.",
                state="Nothing is known about the project's state.",
                next="docker info",
            ) from None
        if done.returncode:
            raise failure(arguments, done.stderr)
        return done.stdout

    def run(self, *arguments: str) -> int:
        """Run ``docker compose ARGUMENTS`` on this terminal; returns its exit code."""
        return subprocess.run(self.command(*arguments), cwd=self.project.folder, check=False).returncode

    def command(self, *arguments: str) -> list[str]:
        return [docker(), "compose", "--progress", "quiet", *arguments]

    def containers(self) -> dict[str, Container]:
        """The project's containers by service; a one-shot that ended is among them."""
        found = [_container(row) for row in rows(self.ask("ps", "--all", "--format", "json"))]
        return {one.service: one for one in found}

    def images(self) -> dict[str, str]:
        """Service → the image that docker-compose.yml and ``.env`` name for it now."""
        services = json.loads(self.ask("config", "--format", "json"))["services"]
        return {name: str(service.get("image", "")) for name, service in services.items()}


def docker() -> str:
    """The ``docker`` program.

    Raises:
        UsageError: it is not installed.
    """
    found = shutil.which("docker")
    if found is None:
        raise UsageError(
            "Docker is not installed (no docker in PATH).",
            state="Nothing was changed.",
            next="Install Docker Engine with its Compose plugin, or use the embedded stack: mlflowctl up",
        )
    return found


def engine_version() -> str:
    """The version of the engine that answers. Raises like :meth:`Compose.ask`."""
    return _docker("version", "--format", "{{.Server.Version}}").strip()


def data_folder() -> str:
    """Where the engine keeps images and volumes, as it names it. Raises like :meth:`Compose.ask`."""
    return _docker("info", "--format", "{{.DockerRootDir}}").strip()


def compose_version() -> str:
    """The version of the Compose plugin. Raises like :meth:`Compose.ask`."""
    return _docker("compose", "version", "--short").strip().lstrip("v")


def _docker(*arguments: str) -> str:
    try:
        done = subprocess.run(
            [docker(), *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"The Docker engine did not answer within {TIMEOUT:.0f} s.", next="docker info"
        ) from None
    if done.returncode:
        raise failure(arguments, done.stderr)
    return done.stdout


def failure(arguments: Sequence[str], stderr: str) -> MlflowctlError:
    """What Compose's complaint means."""
    words = [line.strip() for line in stderr.strip().splitlines() if line.strip()]
    last = words[-1][:300] if words else "no message"
    unchanged = "Nothing was changed."
    if "Cannot connect to the Docker daemon" in stderr or "failed to connect to the docker API" in stderr:
        return UnavailableError(
            "The Docker engine does not answer.", state=unchanged, next="sudo systemctl start docker"
        )
    if "permission denied" in stderr and "docker.sock" in stderr:
        return UnavailableError(
            "This user may not speak to the Docker engine.",
            state=unchanged,
            next="sudo usermod -aG docker $USER   (then log in again)",
        )
    if "'compose' is not a docker command" in stderr or "unknown shorthand flag" in stderr:
        return UsageError(
            "Docker is installed without its Compose plugin (v2).",
            state=unchanged,
            next="Install docker-compose-plugin",
        )
    if "required variable" in stderr:
        return UsageError(
            f"The project is not set up: {last}", state=unchanged, next="mlflowctl compose init"
        )
    return MlflowctlError(
        f"docker compose {arguments[0]} failed: {last}",
        state=unchanged,
        next="mlflowctl --context compose doctor",
    )


def rows(text: str) -> list[dict[str, Any]]:
    """What ``--format json`` prints: one list in some releases of Compose, one object a line in others."""
    text = text.strip()
    if text.startswith("["):
        found: list[dict[str, Any]] = json.loads(text)
        return found
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _container(row: dict[str, Any]) -> Container:
    return Container(
        service=row["Service"],
        state=row["State"],
        health=row.get("Health", ""),
        status=row.get("Status", ""),
        exit_code=int(row.get("ExitCode", 0)),
        image=row.get("Image", ""),
    )
