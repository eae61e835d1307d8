"""mlflowctl inside the project: the same commands, where the database can be reached.

The one-shot service ``bootstrap`` is our image with the admin's secrets and the inner network, so what
needs the database runs as another container of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlflowctl.compose.engine import Compose, failure
from mlflowctl.compose.project import Project
from mlflowctl.errors import MlflowctlError

SERVICE = "bootstrap"
MOUNT = "/backup"


def run(project: Project, command: Sequence[str], *, folder: Path | None = None) -> int:
    """Run ``mlflowctl COMMAND`` in a container on this terminal.

    Args:
        project: the Compose project.
        command: the arguments of mlflowctl.
        folder: of this machine, seen as :data:`MOUNT` in the container; files are written as this user.

    Returns:
        The exit code of the command.
    """
    terminal = [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--no-TTY"]
    return Compose(project).run(*_arguments(terminal, folder), *command)


def ask(project: Project, command: Sequence[str]) -> dict[str, Any]:
    """The envelope that ``mlflowctl COMMAND --json`` prints in a container, whatever its exit code.

    Raises:
        MlflowctlError: the container did not start, or printed no envelope.
    """
    import subprocess

    compose = Compose(project)
    arguments = [*_arguments(["--no-TTY"], None), *command, "--json"]
    done = subprocess.run(
        compose.command(*arguments),
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        envelope: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise failure(arguments, done.stderr) from None
    if envelope["result"] is None:
        error = envelope["error"] or {}
        raise MlflowctlError(
            error.get("message", "no answer"), state=error.get("state", ""), next=error.get("next", "")
        )
    return envelope


def same_command(name: str, argv: Sequence[str]) -> list[str]:
    """The command of this process as a container is to run it: without what names the target from here.

    Args:
        name: the command's first word.
        argv: ``sys.argv`` of this process.
    """
    rest = iter(argv[list(argv).index(name) :])
    kept = []
    for word in rest:
        if word in ("--context", "--data-dir"):
            next(rest, None)
        elif not word.startswith(("--context=", "--data-dir=")):
            kept.append(word)
    return kept


def _arguments(terminal: list[str], folder: Path | None) -> list[str]:
    mounted = ["--volume", f"{folder}:{MOUNT}", "--user", f"{os.getuid()}:{os.getgid()}"] if folder else []
    return ["run", "--rm", "--no-deps", *terminal, *mounted, SERVICE]
