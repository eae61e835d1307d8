"""The image's entrypoint: ``serve`` becomes the MLflow server, everything else is a command of mlflowctl.

``serve-model NAME`` is ``mlflowctl serve NAME``.

``docker run … IMAGE doctor --json`` is ``mlflowctl doctor --json`` on the platform around the container.
"""

from __future__ import annotations

import os
import sys

from mlflowctl.console import Console
from mlflowctl.errors import MlflowctlError, UsageError

QUESTIONS = {"--help", "--dry-run"}


def main() -> None:
    """Do what the container's command says."""
    from mlflowctl.cli.command import fail
    from mlflowctl.cli.main import main as mlflowctl

    words = sys.argv[1:]
    console = Console(words[0] if words else "mlflowctl", as_json="--json" in words)
    try:
        if words == ["serve"]:
            from mlflowctl.container.serve import serve

            serve(os.environ)
        if words[:1] == ["serve-model"]:  # `serve` alone is the tracking server here
            _refuse_no_model(words)
            sys.argv[1] = "serve"
        if words[:1] == ["bootstrap"] and not QUESTIONS & set(words):
            _wait(console)
    except MlflowctlError as exc:
        fail(console, exc)
    mlflowctl()


def _refuse_no_model(words: list[str]) -> None:
    """Compose hands over an empty name where ``.env`` names no model."""
    if "" in words[1:2]:
        raise UsageError(
            "No model is named: SERVE_MODEL is empty.",
            state="Nothing is served.",
            next="Write SERVE_MODEL=NAME into .env, then docker compose --profile serving up --wait",
        )


def _wait(console: Console) -> None:
    """A database that is still starting is no reason for a one-shot to fail."""
    from mlflowctl.container import wait
    from mlflowctl.settings import resolve

    wait.for_platform(resolve(), console.progress)


if __name__ == "__main__":
    main()
