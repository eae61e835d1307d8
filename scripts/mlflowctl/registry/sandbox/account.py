"""Which account a stranger's code runs under."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

SERVICE_USER = "nobody"


def choose(folder: Path, needed: list[Path]) -> tuple[str | None, list[str]]:
    """The account for a trial, if this is root: an unprivileged one that can read what the trial needs.

    Args:
        folder: of the trial; it is handed to the account.
        needed: files that the account must be able to read.

    Returns:
        The account, and notes. None: stay what this process is, which a note says if that is root.
    """
    if os.geteuid() != 0:
        return None, []
    try:
        found = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return None, [f"It ran as root: there is no account {SERVICE_USER!r}."]
    for path in needed:
        answer = subprocess.run(
            ["/bin/sh", "-c", 'test -r "$1"', "sh", str(path)],
            cwd="/",
            user=SERVICE_USER,
            group=found.pw_gid,
            extra_groups=[],
            check=False,
        )
        if answer.returncode != 0:
            return None, [f"It ran as root without root's powers: {SERVICE_USER!r} cannot read {path}."]
    for path in (folder, *folder.rglob("*")):
        os.chown(path, found.pw_uid, found.pw_gid, follow_symlinks=False)
    return SERVICE_USER, []
