"""Finding the Compose project that a command means, and reading what it is made of.

The same rules as Docker Compose's own: the folder is looked for upwards from the working directory, an
exported variable wins over the same one in ``.env``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.errors import UsageError

FILE = "docker-compose.yml"
OURS = "x-mlflowctl:"  # stands in our Compose file and in no other
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Project:
    """One Compose project.

    Attributes:
        folder: where its docker-compose.yml stands.
        variables: of its ``.env``, overridden by exported ones of the same name.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """As Docker Compose names it, in front of containers and volumes."""
        given = self.variables.get("COMPOSE_PROJECT_NAME") or self.folder.name
        return re.sub(r"[^a-z0-9_-]", "", given.lower()).lstrip("_-")

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    @property
    def tracking_port(self) -> int:
        return self._port("MLFLOW_PORT", defaults.TRACKING_PORT)

    @property
    def s3_port(self) -> int:
        return self._port("S3_PORT", defaults.S3_PORT)

    @property
    def serving_port(self) -> int:
        return self._port("SERVING_PORT", defaults.SERVING_PORT)

    @property
    def served(self) -> str:
        """The model that the profile ``serving`` serves; "" if none is named."""
        return self.variables.get("SERVE_MODEL") or ""

    def _port(self, variable: str, default: int) -> int:
        text = self.variables.get(variable) or str(default)
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise UsageError(
                f"{variable}={text!r} in {self.env_file} is no port.",
                state="Nothing was changed.",
                next=f"Write a number between 1 and 65535 in {self.env_file}",
            )
        return int(text)


def find(exported: Mapping[str, str], start: Path | None = None) -> Project | None:
    """The project of ``start`` (default: the working directory) or of the nearest folder above it."""
    folder = (start or Path.cwd()).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE).is_file():
            return _read(candidate, exported) if _is_ours(candidate / FILE) else None
    return None


def _is_ours(file: Path) -> bool:
    try:
        return any(line.startswith(OURS) for line in file.read_text(errors="replace").splitlines())
    except OSError:
        return False


def _read(folder: Path, exported: Mapping[str, str]) -> Project:
    from dotenv import dotenv_values

    found = {name: value or "" for name, value in dotenv_values(folder / ".env").items()}
    return Project(folder, found | {name: exported[name] for name in found if name in exported})
