"""Which release the running server is of, remembered at its start: an installation may change under it."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import mlflowctl
from mlflowctl.files import write_atomic
from mlflowctl.stack.layout import Layout


def installed() -> dict[str, str]:
    """The versions that a server started now would have."""
    return {"mlflowctl": mlflowctl.__version__, "mlflow": importlib.metadata.version("mlflow")}


def file(layout: Layout) -> Path:
    return layout.run / "mlflow.release"


def record(layout: Layout) -> None:
    """Called by the server before it starts."""
    write_atomic(file(layout), json.dumps(installed()))


def running(layout: Layout) -> dict[str, str]:
    """The versions of the server that was started last; empty if a release that did not tell started it."""
    try:
        found = json.loads(file(layout).read_text())
        return {str(name): str(version) for name, version in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}
