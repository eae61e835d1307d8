"""Where everything of one embedded stack lives: one folder, one small description file."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic

DEFAULT_DATA_DIR = Path(".mlflowctl")
COMPONENTS = ("postgres", "object-store", "mlflow")


@dataclass(frozen=True)
class Ports:
    """Loopback ports: three public ones, and those that SeaweedFS uses among its own parts."""

    mlflow: int = defaults.TRACKING_PORT
    s3: int = defaults.S3_PORT
    postgres: int = defaults.DATABASE_PORT
    store: dict[str, int] = field(default_factory=dict)

    def public(self) -> dict[str, int]:
        return {"mlflow": self.mlflow, "object-store": self.s3, "postgres": self.postgres}


@dataclass(frozen=True)
class StackConfig:
    """What ``up`` decided and later commands must know (``stack.json``; holds no secret)."""

    name: str
    ports: Ports = field(default_factory=Ports)
    artifacts: str = "proxied"  # or "direct"
    auth: bool = False  # MLflow's own login
    service_user: str | None = None  # the account that PostgreSQL runs under when up was run as root
    postgres_home: str | None = None  # where that account can reach its files, if not in the folder


@dataclass(frozen=True)
class Layout:
    """Paths of one stack."""

    root: Path

    @classmethod
    def at(cls, data_dir: Path | str) -> Layout:
        return cls(Path(data_dir).expanduser().resolve())

    @property
    def config_file(self) -> Path:
        return self.root / "stack.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def object_store(self) -> Path:
        return self.root / "object-store"

    @property
    def scratch(self) -> Path:
        """Temporary files of the server: uploads pass through here, so it must be a real disk."""
        return self.root / "tmp"

    @property
    def throw_away(self) -> Path:
        """A file that marks a stack which ends with the process that it names (``processes.record``)."""
        return self.root / "throw-away"

    @property
    def default_name(self) -> str:
        """The stack's name: its folder, or the project folder when it is the default one."""
        return self.root.parent.name if self.root.name == DEFAULT_DATA_DIR.name else self.root.name

    @property
    def identity(self) -> str:
        """A short token of the folder's path, for names outside of the folder."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:12]

    def log(self, component: str) -> Path:
        return self.logs / f"{component}.log"

    def exists(self) -> bool:
        return self.config_file.exists()

    def create(self) -> None:
        """Make the folders; secrets and run are for the owner alone."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder, mode in (
            (self.secrets, 0o700),
            (self.run, 0o700),
            (self.logs, 0o700),
            (self.object_store, 0o700),
            (self.scratch, 0o700),
        ):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)

    def load(self) -> StackConfig:
        """Read ``stack.json``.

        Raises:
            UsageError: there is no stack in this folder, or its description is damaged.
        """
        try:
            raw = json.loads(self.config_file.read_text())
            ports = Ports(**raw.pop("ports"))
            return StackConfig(ports=ports, **raw)
        except FileNotFoundError:
            raise UsageError(
                f"There is no stack in {self.root}.",
                state="Nothing was changed.",
                next=f"mlflowctl up --data-dir {quoted(self.root)}",
            ) from None
        except (ValueError, TypeError, KeyError) as exc:
            raise UsageError(
                f"{self.config_file} is damaged: {exc}",
                state="The stack's data is untouched.",
                next=f"rm {quoted(self.config_file)}, then mlflowctl up --data-dir {quoted(self.root)}",
            ) from None

    def save(self, config: StackConfig) -> None:
        write_atomic(self.config_file, json.dumps(asdict(config), indent=2) + "\n", mode=0o644)


def quoted(path: Path | str) -> str:
    """A path as it can be pasted into a shell."""
    import shlex

    return shlex.quote(str(path))


def machine_folder() -> Path:
    """A folder for locks that all stacks of this user on this machine share."""
    folder = Path(tempfile.gettempdir()) / f"mlflowctl-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UsageError(
            f"{folder} belongs to another user, so it cannot be trusted.",
            state="Nothing was changed.",
            next=f"sudo rm -r {quoted(folder)}",
        )
    return folder


__all__ = [
    "COMPONENTS",
    "DEFAULT_DATA_DIR",
    "Layout",
    "Ports",
    "StackConfig",
    "machine_folder",
    "quoted",
    "replace",
]
