"""Becoming a component: ``python -m mlflowctl.stack.run COMPONENT DATA_DIR``, started by the supervisor.

Prepares what the component needs at every start (never only at the first), then replaces itself by
the component's program, so that the supervisor watches the real process.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from mlflowctl.stack import hold, object_store, postgres, privileges, processes, release, tracking_server
from mlflowctl.stack.layout import Layout, StackConfig

# A component that fails at once is started again after this pause, for ever.
PAUSE_BETWEEN_STARTS = 1.0


def pid_file(layout: Layout, component: str) -> Path:
    return layout.run / f"{component}.pid"


def main(component: str, data_dir: str) -> None:
    """Prepare and become ``component`` of the stack in ``data_dir``. Does not return."""
    layout = Layout.at(data_dir)
    config = layout.load()
    _pause_after_a_quick_death(pid_file(layout, component))
    processes.record(pid_file(layout, component))
    os.umask(0o077)
    {"postgres": _postgres, "object-store": _object_store, "mlflow": _mlflow}[component](layout, config)


def _pause_after_a_quick_death(previous: Path) -> None:
    try:
        since = time.time() - previous.stat().st_mtime
    except OSError:
        return
    if 0 <= since < PAUSE_BETWEEN_STARTS:
        time.sleep(PAUSE_BETWEEN_STARTS - since)


def _postgres(layout: Layout, config: StackConfig) -> None:
    postgres.clear_stale_lock(layout, config)
    argv = postgres.command(layout, config)
    if config.service_user:
        privileges.drop_to(config.service_user)
    os.chdir("/")
    os.execve(argv[0], argv, {"PATH": os.defpath, "HOME": "/", "TZ": "UTC"})  # noqa: S606


def _object_store(layout: Layout, config: StackConfig) -> None:
    object_store.prepare(layout)
    argv = object_store.command(layout, config)
    os.chdir(object_store.security_folder(layout))
    environment = {"TMPDIR": str(layout.scratch), "GOMEMLIMIT": object_store.MEMORY_LIMIT}
    os.execve(argv[0], argv, tracking_server.inherited() | environment)  # noqa: S606


def _mlflow(layout: Layout, config: StackConfig) -> None:
    hold.wait_while_held(layout, "mlflow")
    release.record(layout)
    argv = tracking_server.command(login=config.auth)
    os.chdir(layout.scratch)
    os.execve(argv[0], argv, tracking_server.environment(layout, config))  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
