"""Choosing loopback ports, and saying who holds a taken one."""

from __future__ import annotations

import contextlib
import fcntl
import random
import socket
from collections.abc import Iterable, Iterator
from typing import IO

from mlflowctl.errors import UsageError
from mlflowctl.stack.layout import machine_folder

# Below the range from which Linux and macOS hand out ports to outgoing connections.
FREE_RANGE = range(20000, 32000)


def is_free(port: int) -> bool:
    """True if a server could listen on the port, on loopback and on every address."""
    for address in ("127.0.0.1", "0.0.0.0"):  # noqa: S104  (a probe, nothing is served)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def holder(port: int) -> str:
    """Who listens on the port, as far as this user may know: "python3 (pid 4711)"."""
    import psutil

    if is_free(port):  # nobody listens, so it was the claim that failed
        return "another mlflowctl up, which is starting"
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            address = tuple(connection.laddr)
            if connection.status == psutil.CONN_LISTEN and address[1:2] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process (another user's, so its name cannot be seen from here)"


class PortClaims:
    """Ports chosen by this process and not yet bound; other ``up``s on this machine skip them.

    A claim is a file lock, so it ends with the process, however that ends.
    """

    def __init__(self) -> None:
        self._locks: dict[int, IO[str]] = {}
        self._reserved: dict[int, IO[str]] = {}

    def reserve(self, ports: Iterable[int]) -> None:
        """Keep other ``up``s off ports that this stack still listens on, until they are taken again."""
        for port in ports:
            if port not in self._reserved and (handle := _lock(port)):
                self._reserved[port] = handle

    def take(self, port: int, companion: int = 0) -> bool:
        """Claim the port, and the one ``companion`` above it if that is not 0.

        Returns:
            False if one of them is taken or claimed by another process; then neither is claimed.
        """
        taken = [one for one in {port, port + companion} if self._take_one(one)]
        if len(taken) == (2 if companion else 1):
            return True
        for one in taken:
            self._locks.pop(one).close()
        return False

    def _take_one(self, port: int) -> bool:
        if port in self._locks:
            return False
        handle = self._reserved.pop(port, None) or _lock(port)
        if handle is None:
            return False
        if not is_free(port):
            handle.close()
            return False
        self._locks[port] = handle
        return True

    def take_any(self, companion: int = 0) -> int:
        """Claim some free port (and its companion)."""
        for _ in range(2000):
            port = random.choice(FREE_RANGE)  # noqa: S311  (not a secret)
            if self.take(port, companion):
                return port
        raise UsageError("No free port was found on 127.0.0.1.", state="Nothing was started.")

    def release(self) -> None:
        for handle in (*self._locks.values(), *self._reserved.values()):
            handle.close()
        self._locks.clear()
        self._reserved.clear()


def _lock(port: int) -> IO[str] | None:
    handle = (machine_folder() / f"port-{port}.lock").open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


@contextlib.contextmanager
def claims() -> Iterator[PortClaims]:
    """Port claims that last as long as the block."""
    held = PortClaims()
    try:
        yield held
    finally:
        held.release()


def taken(port: int, purpose: str) -> UsageError:
    """The error for a public port that is in use."""
    return UsageError(
        f"Port {port} (for {purpose}) is taken by {holder(port)}.",
        state="Nothing was started.",
        next="mlflowctl up --auto-ports   (or stop the process that holds the port)",
    )
