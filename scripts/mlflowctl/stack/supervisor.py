"""One supervisord per stack: it starts the components, and starts again whatever dies, for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.errors import UnavailableError
from mlflowctl.files import write_atomic
from mlflowctl.stack import processes, tracking_server
from mlflowctl.stack.layout import COMPONENTS, Layout, quoted
from mlflowctl.stack.run import pid_file

if TYPE_CHECKING:
    import psutil

# How each component is asked to end: PostgreSQL's "fast shutdown" is SIGINT.
STOP_SIGNALS = {"postgres": signal.SIGINT, "object-store": signal.SIGTERM, "mlflow": signal.SIGTERM}
# Lower starts earlier and stops later.
PRIORITIES = {"postgres": 10, "object-store": 10, "mlflow": 20}
PATIENCE = 30.0  # seconds that a component may take to end by itself


def config_file(layout: Layout) -> Path:
    return layout.run / "supervisord.conf"


def write_config(layout: Layout) -> None:
    """Write supervisord's configuration; it holds paths only, no secret."""
    write_atomic(config_file(layout), _config(layout))


def _config(layout: Layout) -> str:
    user = "user=root\n" if os.geteuid() == 0 else ""
    head = (
        "[supervisord]\n"
        f"pidfile={_escaped(layout.run / 'supervisord.pid')}\n"
        f"logfile={_escaped(layout.log('supervisor'))}\n"
        f"childlogdir={_escaped(layout.logs)}\n"
        f"directory={_escaped(layout.root)}\n"
        "logfile_maxbytes=5MB\nlogfile_backups=2\nloglevel=info\nminfds=1024\n"
        f"umask=077\n{user}"
    )
    return head + "".join(_program(layout, name) for name in COMPONENTS)


def _program(layout: Layout, name: str) -> str:
    # startsecs=0: a start never counts as failed, so supervisord never gives up (its FATAL state);
    # the pause between starts is kept by mlflowctl.stack.run.
    return (
        f"\n[program:{name}]\n"
        f"command={_argument(sys.executable)} -m mlflowctl.stack.run {name} {_argument(layout.root)}\n"
        f"priority={PRIORITIES[name]}\n"
        "autostart=true\nautorestart=true\nstartsecs=0\n"
        f"stopsignal={STOP_SIGNALS[name].name.removeprefix('SIG')}\n"
        f"stopwaitsecs={int(PATIENCE)}\nkillasgroup=true\n"
        f"stdout_logfile={_escaped(layout.log(name))}\n"
        "redirect_stderr=true\nstdout_logfile_maxbytes=20MB\nstdout_logfile_backups=3\n"
    )


def _escaped(value: Path | str) -> str:
    return str(value).replace("%", "%%")


def _argument(value: Path | str) -> str:
    """One argument of a ``command=`` line, which supervisord splits like a shell."""
    return _escaped('"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"')


def running(layout: Layout) -> psutil.Process | None:
    """The stack's supervisor, if it lives."""
    import psutil

    try:
        process = psutil.Process(int((layout.run / "supervisord.pid").read_text()))
        mine = str(config_file(layout)) in process.cmdline()
        return process if mine and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def components(layout: Layout) -> dict[str, psutil.Process | None]:
    """The main process of every component, if it lives."""
    return {name: processes.recorded(pid_file(layout, name)) for name in COMPONENTS}


def start(layout: Layout) -> None:
    """Start the supervisor in the background, and with it every component.

    Raises:
        UnavailableError: it ended at once; its last words are in the message.
    """
    write_config(layout)
    with layout.log("supervisor").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(config_file(layout))],
            cwd=layout.root,
            env=tracking_server.inherited(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    processes.wait_until(
        lambda: (
            child.poll() is not None or (running(layout) is not None and any(components(layout).values()))
        ),
        timeout=15,
        interval=0.05,
    )
    if running(layout) is None:
        raise UnavailableError(
            f"The supervisor did not start: {_last_line(layout.log('supervisor'))}",
            state="No component is running.",
            next=f"mlflowctl logs supervisor --data-dir {quoted(layout.root)}",
        )


def stop(layout: Layout) -> None:
    """End the supervisor and its components in order; kill what does not end by itself."""
    process = running(layout)
    if process is not None:
        processes.end([process], signal=signal.SIGTERM, patience=PATIENCE * 2)
    end_orphans(layout)
    (layout.run / "supervisord.pid").unlink(missing_ok=True)


def orphans(layout: Layout) -> dict[str, psutil.Process]:
    """Components that still run although their supervisor is gone."""
    if running(layout) is not None:
        return {}
    return {name: process for name, process in components(layout).items() if process is not None}


def end_orphans(layout: Layout) -> None:
    """End left-over components, clients of the database first."""
    left = orphans(layout)
    for name in sorted(left, key=lambda one: -PRIORITIES[one]):
        processes.end([left[name]], signal=STOP_SIGNALS[name], patience=PATIENCE)


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "its log is missing"
    return lines[-1] if lines else "its log is empty"
