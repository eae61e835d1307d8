"""mlflowctl inside the project: the same commands, where the database can be reached.

The one-shot service ``bootstrap`` is our image with the admin's secrets and the inner network, so what
needs the database runs as another container of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflowctl import errors
from mlflowctl.compose.engine import Compose, failure
from mlflowctl.compose.project import Project

SERVICE = "bootstrap"
BACKUP_KEYS = "/run/secrets/backup-keys.ini"


@dataclass(frozen=True)
class Extra:
    """What a container gets beside what docker-compose.yml says.

    Attributes:
        folder: of this machine, under the same path in the container; files in it belong to this user.
        mounts: further files, as Docker's ``--volume`` wants them.
        variables: further variables; never a secret, since the engine shows them.
    """

    folder: Path | None = None
    mounts: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


def run(project: Project, command: Sequence[str], extra: Extra | None = None) -> int:
    """Run ``mlflowctl COMMAND`` in a container on this terminal; its exit code."""
    terminal = [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--no-TTY"]
    return Compose(project).run(*_arguments(terminal, extra), *command)


def envelope(project: Project, command: Sequence[str], extra: Extra | None = None) -> dict[str, Any]:
    """The envelope that ``mlflowctl COMMAND --json`` prints in a container; progress goes to this stderr.

    Raises:
        MlflowctlError: the container did not start, or printed no envelope.
    """
    compose = Compose(project)
    arguments = [*_arguments(["--no-TTY"], extra), *command, "--json"]
    process = subprocess.Popen(
        compose.command(*arguments),
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stdout, stderr = process.communicate()
    try:
        found: dict[str, Any] = json.loads(stdout)
    except ValueError:
        raise failure(arguments, stderr) from None
    return found


def ask(project: Project, command: Sequence[str], extra: Extra | None = None) -> Any:
    """The result of a command in a container; one that found something (exit 6) counts.

    Raises:
        MlflowctlError: the command's own error, as the same class as there.
    """
    found = envelope(project, command, extra)
    error = found["error"]
    if error and error["code"] != errors.FindingsError.code:
        raise errors.raised(error)
    return found["result"]


@contextlib.contextmanager
def reaching(place: str) -> Iterator[tuple[str, Extra]]:
    """What a container needs to reach a place of backups, and the place as it is called there.

    A folder is mounted. For an s3:// address this user's AWS keys go in as a file, not as variables, which
    the engine would show and which would hide the keys of the project's own store.

    Raises:
        UsageError: there are no AWS keys.
    """
    if not place.startswith("s3://"):
        folder = Path(place).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        yield str(folder), Extra(folder=folder)
        return
    with tempfile.TemporaryDirectory(prefix="mlflowctl-keys-") as scratch:
        keys = Path(scratch) / "keys.ini"
        keys.write_text(_aws_keys())
        keys.chmod(0o444)  # read by the container's user; the folder is closed to others
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        variables = {
            "MLFLOWCTL_BACKUP_KEYS": BACKUP_KEYS,
            "MLFLOWCTL_BACKUP_ENDPOINT": endpoint,
            "MLFLOWCTL_BACKUP_REGION": region,
        }
        yield place, Extra(mounts=(f"{keys}:{BACKUP_KEYS}:ro",), variables=variables)


def _aws_keys() -> str:
    import boto3

    found = boto3.session.Session().get_credentials()
    if found is None:
        raise errors.UsageError(
            "There are no AWS credentials for the s3:// address.",
            state="Nothing was copied.",
            next="aws configure   (or export AWS_PROFILE)",
        )
    keys = found.get_frozen_credentials()
    lines = [
        "[default]",
        f"aws_access_key_id = {keys.access_key}",
        f"aws_secret_access_key = {keys.secret_key}",
    ]
    lines += [f"aws_session_token = {keys.token}"] if keys.token else []
    return "\n".join(lines) + "\n"


def _arguments(terminal: list[str], extra: Extra | None) -> list[str]:
    given = extra or Extra()
    words = ["run", "--rm", "--no-deps", *terminal]
    if given.folder:
        words += ["--volume", f"{given.folder}:{given.folder}", "--user", f"{os.getuid()}:{os.getgid()}"]
    for mount in given.mounts:
        words += ["--volume", mount]
    for name, value in given.variables.items():
        words += ["--env", f"{name}={value}"]
    return [*words, SERVICE]
