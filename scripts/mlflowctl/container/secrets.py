"""Secrets of a container: given as a variable, or as the file that NAME_FILE names; copied only in private.

Compose mounts secrets as files that everybody in the container may read. libpq wants a format of its own
and ignores files that others may read, so what it needs is copied, for this user alone, to a folder that
is memory (a tmpfs) where the deployment says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlflowctl.database import passwords
from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic

PRIVATE = "/run/mlflowctl"
NOTHING_DONE = "Nothing was started."


def optional(env: Mapping[str, str], name: str) -> str:
    """The secret ``name``, or "" if neither NAME nor NAME_FILE is set.

    Raises:
        UsageError: both are set, or the file cannot be read or is empty.
    """
    value, path = env.get(name, ""), env.get(f"{name}_FILE", "")
    if value and path:
        raise UsageError(
            f"{name} and {name}_FILE are both set.",
            state=NOTHING_DONE,
            next=f"Leave one of them out: {name}_FILE",
        )
    return _from_file(name, Path(path)) if path else value


def required(env: Mapping[str, str], name: str, purpose: str) -> str:
    """Like :func:`optional`, for a secret that must be there; ``purpose`` says what for."""
    value = optional(env, name)
    if not value:
        raise UsageError(
            f"{name} is not set: {purpose}.",
            state=NOTHING_DONE,
            next=f"Set {name}_FILE to a file that holds it, or {name}",
        )
    return value


def _from_file(name: str, path: Path) -> str:
    try:
        value = path.read_text().strip()
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or str(exc)
        raise UsageError(
            f"The secret {path} cannot be read ({name}_FILE): {why}.",
            state=NOTHING_DONE,
            next="mlflowctl compose init, then docker compose up (in Compose); else mount the secret there",
        ) from None
    if not value:
        raise UsageError(
            f"The secret {path} is empty ({name}_FILE).", state=NOTHING_DONE, next="Restore it from a backup"
        )
    return value


def passfile(env: Mapping[str, str], role: str, password: str) -> Path:
    """Write a libpq passfile for ``role`` that only this user can read; returns its path."""
    return private_file(env, f"{role}.pgpass", passwords.line(role, password))


def private_file(env: Mapping[str, str], name: str, text: str) -> Path:
    """Write a file that only this user can read, below MLFLOWCTL_RUN_DIR; returns its path."""
    path = _private_folder(env) / name
    write_atomic(path, text)
    return path


def _private_folder(env: Mapping[str, str]) -> Path:
    """One folder per user below MLFLOWCTL_RUN_DIR, which everybody may write to, as to /tmp."""
    folder = Path(env.get("MLFLOWCTL_RUN_DIR") or PRIVATE) / f"user-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        mine = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
    except OSError as exc:
        raise UsageError(
            f"{folder} cannot be made: {exc.strerror}.",
            state=NOTHING_DONE,
            next=f"Mount a tmpfs on {folder.parent} (mode 1777), or set MLFLOWCTL_RUN_DIR",
        ) from None
    if not mine:
        raise UsageError(f"{folder} belongs to another user, so it cannot be trusted.", state=NOTHING_DONE)
    return folder
