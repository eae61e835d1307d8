"""The folder from which one model is served on this machine."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mlflowctl.files import write_atomic

if TYPE_CHECKING:
    from mlflowctl.settings import Context


@dataclass(frozen=True)
class Place:
    """Paths of one served model; nothing in them is needed to start anew."""

    root: Path

    @classmethod
    def of(cls, context: Context, model: str, folder: Path | None = None) -> Place:
        """The folder for a model: in the stack's own folder if this machine has it.

        Args:
            context: whose model it is.
            model: name of the registered model.
            folder: the folder above; None: the stack's, or a temporary one of this user where there is none.
        """
        from mlflowctl.stack.layout import machine_folder

        above = folder or (context.layout.root if context.layout else machine_folder())
        return cls(Path(above).expanduser().resolve() / "serving" / quote(model, safe=""))

    @property
    def lock(self) -> Path:
        return self.root / "serve.lock"

    @property
    def supervisor(self) -> Path:
        """pid and start time of the one that supervises."""
        return self.root / "serve.pid"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    @property
    def routes(self) -> Path:
        return self.root / "routes.json"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def models(self) -> Path:
        """The models' files. MLflow cannot load from a path with a percent sign, however it is written."""
        from mlflowctl.stack.layout import machine_folder

        if "%" not in str(self.root):
            return self.root / "models"
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:16]
        return machine_folder() / f"models-{digest}"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway"

    @property
    def payloads(self) -> Path:
        """What was asked and answered, where somebody asked for it to be kept."""
        return self.root / "payloads"

    @property
    def access_log(self) -> Path:
        return self.gateway / "access.log"

    def create(self) -> None:
        """Make the folders, for the owner alone."""
        for folder in (self.root, self.run, self.logs, self.models, self.gateway, self.payloads):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def identity(self) -> str:
        """A name of this gateway that no other one has, and that stays."""
        kept = self.root / "gateway-id"
        try:
            return kept.read_text().strip()
        except FileNotFoundError:
            write_atomic(kept, uuid.uuid4().hex + "\n")
            return kept.read_text().strip()

    def port(self) -> int | None:
        """The gateway's port, if one was started here."""
        try:
            return int(json.loads(self.status.read_text())["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
