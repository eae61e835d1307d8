"""The servers of one version: a listening socket, and processes that answer on it.

The socket belongs to the group and not to a process. So a process that dies leaves no refused connection
behind: the others take what waits, or the next one does when it has loaded the model.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.serving.place import Place
from mlflowctl.stack import processes

if TYPE_CHECKING:
    import psutil

    from mlflowctl.registry.sandbox.environments import Environment

SCRIPT = Path(__file__).with_name("model_server.py")
BACKLOG = 2048  # connections that wait while a process loads the model
GRACE = 35  # seconds; more than the server's own 30
LEAST_LIFE = 5.0  # seconds; a process that ends sooner is not started again at once
PASSED_ON = ("LANG", "LC_ALL", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TZ")


@dataclass
class Group:
    """Servers of one version that this supervisor started."""

    place: Place
    model: str
    version: int
    folder: Path
    environment: Environment
    payloads: bool = False
    listener: socket.socket = field(init=False)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: float = 0.0
    failures: int = 0

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def start(self) -> None:
        """Start one more process."""
        command = [
            str(self.environment.python), "-B", str(SCRIPT), "--fd", str(self.listener.fileno()),
            "--model", str(self.folder), "--name", self.model, "--version", str(self.version),
            *(("--payloads", str(self.place.payloads)) if self.payloads else ()),
        ]  # fmt: skip
        with (self.place.logs / f"v{self.version}.log").open("ab") as out:
            child = subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                pass_fds=[self.listener.fileno()],
            )
        self.started = time.monotonic()
        self.children.append(child)
        processes.record(self.place.run / f"v{self.version}-{child.pid}.pid", child.pid)

    def _environment(self) -> dict[str, str]:
        """Nothing of this process's but language and threads: no password reaches a model's code."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        scratch = self.place.root / "tmp"
        scratch.mkdir(mode=0o700, exist_ok=True)
        return {
            "LANG": "C.UTF-8",
            **passed,
            "PATH": f"{self.environment.python.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        }

    def reap(self) -> list[int]:
        """Forget processes that have ended. Returns their exit codes."""
        ended = [child for child in self.children if child.poll() is not None]
        for child in ended:
            self.children.remove(child)
            (self.place.run / f"v{self.version}-{child.pid}.pid").unlink(missing_ok=True)
            self.failures = self.failures + 1 if time.monotonic() - self.started < LEAST_LIFE else 0
        return [int(child.returncode) for child in ended]

    def may_start(self) -> bool:
        """False while a process that keeps dying is given time: 1, 2, 4, … 30 seconds."""
        return time.monotonic() - self.started >= min(30.0, 2.0**self.failures if self.failures else 0.0)

    def end(self) -> None:
        """Take no more connections, let requests end, end the processes. Takes up to half a minute."""
        self.listener.close()
        own = [process for child in self.children if (process := _process(child.pid))]
        processes.end(own, signal=signal.SIGTERM, patience=GRACE)
        self.reap()


def _process(pid: int) -> psutil.Process | None:
    import psutil

    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


@dataclass(frozen=True)
class Survivors:
    """Servers that a supervisor before this one left: they serve until others of the version can."""

    version: int
    port: int
    files: tuple[Path, ...]

    def alive(self) -> list[psutil.Process]:
        return [process for file in self.files if (process := processes.recorded(file))]

    def end(self) -> None:
        processes.end(self.alive(), signal=signal.SIGTERM, patience=GRACE)
        for file in self.files:
            file.unlink(missing_ok=True)


def pid_files(place: Place, version: int) -> tuple[Path, ...]:
    """The files of all processes of a version that are on record."""
    return tuple(sorted(place.run.glob(f"v{version}-*.pid")))


def ask(port: int, path: str, body: bytes | None = None, *, timeout: float) -> tuple[int, str]:
    """One request to a server on loopback. Returns status and text; status 0: no answer."""
    headers: dict[str, Any] = {"Content-Type": "application/json"} if body is not None else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return int(answer.status), answer.read(2000).decode(errors="replace")
    except urllib.error.HTTPError as exc:
        return int(exc.code), exc.read(2000).decode(errors="replace")
    except OSError as exc:
        return 0, str(exc)
