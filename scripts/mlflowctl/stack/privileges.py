"""PostgreSQL refuses to run as root: choosing the account that it runs under, and folders it can reach."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from mlflowctl.errors import UsageError

SERVICE_USER = "nobody"
# Only used when the stack's own folder lies where the service user cannot go (below /root, say).
SHARED_HOME = Path("/var/lib/mlflowctl")


def service_user() -> str | None:
    """The unprivileged account for PostgreSQL, or None when this process is unprivileged already.

    Raises:
        UsageError: this is root and the machine has no such account.
    """
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SERVICE_USER)
    except KeyError:
        raise UsageError(
            f"PostgreSQL does not run as root, and this machine has no account {SERVICE_USER!r}.",
            state="Nothing was started.",
            next="Run mlflowctl as an ordinary user.",
        ) from None
    return SERVICE_USER


def can_reach(path: Path, user: str) -> bool:
    """True if ``user`` may enter the folder (asked of the kernel, as that user)."""
    answer = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1" 2>/dev/null', "sh", str(path)],
        cwd="/",
        user=user,
        group=pwd.getpwnam(user).pw_gid,
        extra_groups=[],
        check=False,
    )
    return answer.returncode == 0


def drop_to(user: str) -> None:
    """Become ``user`` for good; the order matters, the last call gives up the right to the others."""
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ["HOME"] = "/"


def give(path: Path, user: str) -> None:
    """Hand a folder and all that is in it to ``user``."""
    account = pwd.getpwnam(user)
    os.chown(path, account.pw_uid, account.pw_gid)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(Path(folder, name), account.pw_uid, account.pw_gid, follow_symlinks=False)
