"""Backup and restore of a Compose project: done in a container, with the place mounted into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlflowctl import errors
from mlflowctl.compose import inside
from mlflowctl.compose.engine import Compose
from mlflowctl.compose.project import HOST, Project
from mlflowctl.console import Console
from mlflowctl.errors import ConflictError, MlflowctlError, UnavailableError

SERVER = "mlflow"


def backup(project: Project, to: str, flags: Sequence[str]) -> int:
    """Back the project up; the exit code of ``mlflowctl backup`` in the container.

    Args:
        project: the Compose project.
        to: a folder of this machine or an s3:// address.
        flags: further arguments of the command.
    """
    with inside.reaching(to) as (place, extra):
        return inside.run(project, ["backup", "--to", place, *flags], extra)


def restore(console: Console, project: Project, source: str, flags: Sequence[str]) -> int:
    """Put a set back, with the server's container stopped for as long as that takes.

    The first try checks the whole set and the confirmation, and stops before anything is replaced because
    the server serves; so a set that cannot be restored costs no second of service.

    Returns:
        The exit code of ``mlflowctl restore`` in the container.

    Raises:
        MlflowctlError: what the first try found.
    """
    with inside.reaching(source) as (place, extra):
        extra = replace(extra, variables={**extra.variables, "MLFLOWCTL_STACK_NAME": project.name})
        command = ["restore", "--from", place, *flags]
        if "--dry-run" in flags:
            return inside.run(project, command, extra)
        if _serves(project):
            console.progress("Checking the set")
            error = inside.envelope(project, command, extra)["error"]
            if error and error["code"] != ConflictError.code:
                raise errors.raised(error)
        return _with_the_server_stopped(console, project, command, extra)


def _serves(project: Project) -> bool:
    """Whether the server answers anything; one that waits for another schema does not."""
    from mlflowctl.stack import health

    try:
        health.tracking_server(f"http://{HOST}:{project.tracking_port}", timeout=5)
    except UnavailableError:
        return False
    except MlflowctlError:
        return True  # it asks for a login
    return True


def _with_the_server_stopped(
    console: Console, project: Project, command: list[str], extra: inside.Extra
) -> int:
    compose = Compose(project)
    console.progress("Stopping the server")
    compose.ask("stop", SERVER)
    try:
        return inside.run(project, command, extra)
    finally:
        console.progress("Starting the server")
        compose.ask("up", "--detach", "--wait", "--no-deps", SERVER, timeout=None)
