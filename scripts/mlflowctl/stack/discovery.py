"""Which embedded stacks of this user are running on this machine: asked of the process table."""

from __future__ import annotations

import os
from pathlib import Path

from mlflowctl.stack.layout import Layout

_MARK = "supervisor.supervisord"


def running_stacks() -> list[Layout]:
    """The stacks whose supervisor lives and belongs to this user, in order of their folders.

    A throw-away stack, which another command made for itself, is nobody's target.
    """
    import psutil

    found = set()
    for process in psutil.process_iter(["cmdline", "uids"]):
        argv = process.info["cmdline"] or []
        uids = process.info["uids"]
        if _MARK not in argv or uids is None or uids.real != os.getuid():
            continue
        root = Path(argv[-1]).parent.parent  # …/run/supervisord.conf
        layout = Layout(root)
        if layout.exists() and not layout.throw_away.exists():
            found.add(layout)
    return sorted(found, key=lambda layout: str(layout.root))
