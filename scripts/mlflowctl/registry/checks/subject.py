"""What is checked, and what a user's own check is given and answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry.artifacts import Manifest
from mlflowctl.registry.sandbox.trial import Trial

if TYPE_CHECKING:
    import numpy

MLMODEL_LIMIT = 4 << 20  # bytes


class NotAModel(MlflowctlError):
    """The folder's ``MLmodel`` is missing, too long, or no YAML mapping."""

    code = "not_a_model"


@dataclass(frozen=True)
class Subject:
    """One version, as it was fetched and tried.

    Attributes:
        version: its number.
        folder: its files on this machine.
        manifest: of these files, made while they were fetched.
        registered_digest: the manifest's digest when the version was registered; None if nobody kept it.
        trial: what the sandbox found.
        registered_manifest: the manifest at registration, to name the files that changed; None if only the
            digest is known.
    """

    version: int
    folder: Path
    manifest: Manifest
    registered_digest: str | None
    trial: Trial
    registered_manifest: Manifest | None = None

    @cached_property
    def mlmodel(self) -> dict[str, Any]:
        """The file ``MLmodel`` as plain data; nothing of the model is imported.

        Raises:
            NotAModel: it cannot be read.
        """
        import yaml

        path = self.folder / "MLmodel"
        try:
            if path.stat().st_size > MLMODEL_LIMIT:
                raise NotAModel(f"MLmodel is longer than {MLMODEL_LIMIT} bytes.")
            found: Any = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError):
            raise NotAModel("There is no readable file MLmodel in the artifacts.") from None
        except (yaml.YAMLError, RecursionError):
            raise NotAModel("MLmodel is not YAML.") from None
        if not isinstance(found, dict):
            raise NotAModel("MLmodel is no mapping.")
        return found


@dataclass(frozen=True)
class CheckInput:
    """What a user's own check is given.

    Attributes:
        version: number of the challenger.
        folder: its files; do not change them.
        files: SHA-256 (hex) of each file by its path.
        mlmodel: the content of ``MLmodel`` as plain data.
        predictions: of the holdout rows, shape (rows,) or (rows, outputs); None without a holdout.
        latency_p95_ms: of one-row predictions, milliseconds; None if nothing was predicted.
        peak_memory_mb: of the process that predicted.
        champion: the same of the champion; None if there is none.
    """

    version: int
    folder: Path
    files: dict[str, str]
    mlmodel: dict[str, Any]
    predictions: numpy.ndarray[Any, Any] | None
    latency_p95_ms: float | None
    peak_memory_mb: float | None
    champion: CheckInput | None = None


@dataclass(frozen=True)
class CheckOutcome:
    """What a user's own check may answer.

    Attributes:
        passed: the verdict; None is inconclusive.
        detail: what was seen, one sentence.
        next: what mends it.
    """

    passed: bool | None
    detail: str = ""
    next: str = ""


def check_input(subject: Subject, champion: Subject | None) -> CheckInput:
    """What a user's own check is given about a version.

    Raises:
        NotAModel: the version's ``MLmodel`` cannot be read.
    """
    return CheckInput(
        version=subject.version,
        folder=subject.folder,
        files=dict(subject.manifest.files),
        mlmodel=subject.mlmodel,
        predictions=subject.trial.predictions,
        latency_p95_ms=subject.trial.latency_p95_ms,
        peak_memory_mb=subject.trial.peak_memory_mb,
        champion=check_input(champion, None) if champion else None,
    )
