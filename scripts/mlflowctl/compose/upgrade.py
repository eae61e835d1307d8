"""Upgrading a Compose project: the new image bootstraps while the old container serves, then takes over.

See :mod:`mlflowctl.upgrade` for the order and for what is said when a step fails.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from mlflowctl import errors
from mlflowctl.backup.progress import Tell
from mlflowctl.compose import inside, secrets
from mlflowctl.compose.engine import Compose, docker
from mlflowctl.compose.project import Project
from mlflowctl.errors import MlflowctlError, UsageError
from mlflowctl.plan import Action, Step
from mlflowctl.settings import Context
from mlflowctl.stack import health

SERVER = "mlflow"
RESERVE = 1_000_000_000  # bytes that must be free beside a backup whose size only the container can tell
VERSIONS = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({n: m.version(n) for n in ('mlflow', 'mlflowctl')}))"
)
REVISION = (
    'PGPASSWORD="$(cat /run/secrets/postgres-admin.password)" '
    "psql -h 127.0.0.1 -U mlflowctl_admin -d mlflow -XAtqc 'SELECT version_num FROM alembic_version'"
)


class ComposeProject:
    """A Compose project: the image that ``.env`` names now takes over from the one that runs."""

    def __init__(self, context: Context, project: Project, to: str) -> None:
        self.context, self.project, self.to = context, project, to
        self.compose = Compose(project)
        self.name = project.name

    def check(self) -> None:
        server = self.compose.containers().get(SERVER)
        if server is None or server.state != "running":
            raise UsageError(
                f"The project {self.name} does not run. Stopped, it is upgraded by starting it.",
                state="Nothing was changed.",
                next="docker compose up --detach --wait   (migrates, then starts the server)",
            )
        self._secrets()
        self._probe()
        self._room()
        if not self._image_exists():
            self.compose.ask("build", "--quiet", SERVER, timeout=None)

    def releases(self) -> tuple[dict[str, str], dict[str, str]]:
        return self._running(), self._wanted()

    def bootstrap_plan(self) -> list[Step]:
        found = inside.ask(self.project, ["bootstrap", "--dry-run"])
        return [Step(Action(one["action"]), one["target"], one["detail"]) for one in found["steps"]]

    def revision(self) -> str | None:
        try:
            return self.compose.ask("exec", "--no-TTY", "postgres", "sh", "-c", REVISION).strip() or None
        except MlflowctlError:
            return None

    def back_up(self, to: str, tell: Tell) -> str:
        with inside.reaching(to) as (place, extra):
            made: dict[str, Any] = inside.ask(self.project, ["backup", "--to", place], extra)
        tell(f"  set {made['set']}: {made['rows']:,} rows, {made['objects']:,} objects")
        return str(made["set"])

    def bootstrap(self, tell: Tell) -> None:
        found = inside.envelope(self.project, ["bootstrap"])
        if error := found["error"]:
            raise errors.raised(error)
        for step in found["result"]["steps"]:
            if step["action"] in (Action.CREATE, Action.CHANGE, Action.REMOVE):
                tell(f"  {step['action']}  {step['target']}")

    def switch(self, tell: Tell) -> None:
        tell(f"  the container of {self._image()} takes over")
        self.compose.ask("up", "--detach", "--wait", "--no-deps", "--no-build", SERVER, timeout=None)
        self._probe()

    def serves(self) -> bool:
        try:
            self._probe()
        except MlflowctlError:
            return False
        return True

    def _probe(self) -> None:
        health.tracking_server(self.context.tracking_uri, login=self.context.login)

    def _secrets(self) -> None:
        """A release may want secrets that the one before had not."""
        missing = secrets.missing(self.project.secrets)
        if missing:
            raise UsageError(
                f"The project {self.name} lacks secrets of this release: {', '.join(missing)}.",
                state="Nothing was changed.",
                next="mlflowctl compose init, then docker compose up --wait --no-deps --force-recreate "
                "object-store (it learns of new keys), then this command again",
            )

    def _room(self) -> None:
        if self.to.startswith("s3://"):
            return
        target = Path(self.to).expanduser().resolve()
        folder = next(one for one in (target, *target.parents) if one.exists())
        if shutil.disk_usage(folder).free < RESERVE:
            raise UsageError(
                f"There is less than {RESERVE / 1e9:.0f} GB free for the backup in {folder}.",
                state="Nothing was changed.",
                next="Free some space, or name another place with --backup-to.",
            )

    def _image(self) -> str:
        return self.compose.images()[SERVER]

    def _image_exists(self) -> bool:
        return bool(self._inspect("image", self._image()))

    def _running(self) -> dict[str, str]:
        text = self.compose.ask("exec", "--no-TTY", SERVER, "python", "-c", VERSIONS)
        container = self.compose.ask("ps", "--quiet", SERVER).strip()
        return {**json.loads(text), "image": _short(self._inspect("container", container)["Image"])}

    def _wanted(self) -> dict[str, str]:
        run = (
            "run",
            "--rm",
            "--no-deps",
            "--no-TTY",
            "--entrypoint",
            "python",
            inside.SERVICE,
            "-c",
            VERSIONS,
        )
        return {
            **json.loads(self.compose.ask(*run)),
            "image": _short(self._inspect("image", self._image())["Id"]),
        }

    def _inspect(self, kind: str, name: str) -> dict[str, Any]:
        done = subprocess.run(
            [docker(), kind, "inspect", name], capture_output=True, text=True, timeout=60, check=False
        )
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return found[0] if found else {}


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]
