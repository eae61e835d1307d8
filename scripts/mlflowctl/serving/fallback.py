"""The process behind the gateway's own answers, as the supervisor keeps it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.serving.place import Place
from mlflowctl.stack import processes

if TYPE_CHECKING:
    import psutil

PATIENCE = 5.0  # seconds
LEAST_LIFE = 1.0  # seconds; one that ends sooner is not started again at once


class Fallback:
    """One per place; it outlives a supervisor that is killed, and the next one finds it.

    Args:
        place: of the model.
        model: name of the registered model.
        port: loopback port that the gateway was last told; 0: none.
    """

    def __init__(self, place: Place, model: str, port: int = 0) -> None:
        self.place, self.model = place, model
        self.listener: socket.socket | None = None
        self.child: subprocess.Popen[bytes] | None = None
        self.started = -LEAST_LIFE
        left = self.process()
        self.port = port if left is not None else 0
        if left is not None and not port:  # nobody knows where it listens: killed before the gateway was told
            processes.end([left], signal=signal.SIGTERM, patience=PATIENCE)

    def process(self) -> psutil.Process | None:
        """The running process, whoever started it."""
        if self.child is not None:
            self.child.poll()  # reaps it if it has ended
        return processes.recorded(self._pid_file)

    def start(self) -> None:
        """Start it unless it runs. The socket stays: what asks meanwhile waits."""
        running = self.port and self.process() is not None
        if running or time.monotonic() - self.started < LEAST_LIFE:
            return
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
            self.port = int(self.listener.getsockname()[1])
        number = self.listener.fileno()
        with (self.place.logs / "gateway.out").open("ab") as out:
            self.child = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.fallback_server", "--fd", str(number),
                 "--name", self.model],
                env={"PATH": os.defpath, "HOME": str(self.place.gateway)},
                cwd=self.place.gateway, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True, pass_fds=[number],
            )  # fmt: skip
        self.started = time.monotonic()
        processes.record(self._pid_file, self.child.pid)

    def end(self) -> None:
        """End it."""
        if self.listener is not None:
            self.listener.close()
        if (process := self.process()) is not None:
            processes.end([process], signal=signal.SIGTERM, patience=PATIENCE)
        self._pid_file.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.place.run / "fallback.pid"
