"""Knowing processes for certain: a pid alone may have been reused by a stranger."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.files import write_atomic

if TYPE_CHECKING:
    import psutil


def record(pid_file: Path, pid: int | None = None) -> None:
    """Write pid and start time of a process (default: this one)."""
    import psutil

    process = psutil.Process(pid or os.getpid())
    write_atomic(pid_file, json.dumps({"pid": process.pid, "started": process.create_time()}))


def recorded(pid_file: Path) -> psutil.Process | None:
    """The process that wrote the file, if that very process still runs."""
    import psutil

    try:
        raw = json.loads(pid_file.read_text())
        process = psutil.Process(int(raw["pid"]))
        # Start times are whole clock ticks; a reused pid differs by far more than that.
        same = abs(process.create_time() - float(raw["started"])) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and everything that descends from it."""
    import psutil

    with contextlib.suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def end(processes: Sequence[psutil.Process], *, signal: int, patience: float) -> None:
    """Ask processes to end, wait up to ``patience`` seconds, then kill what is left."""
    import psutil

    everyone = [member for process in processes for member in family(process)]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal)
    _, alive = psutil.wait_procs(everyone, timeout=patience)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def wait_until(ready: Callable[[], bool], *, timeout: float, interval: float = 0.1) -> bool:
    """Poll the callable ``ready`` until it answers true; False when ``timeout`` seconds have passed."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
