"""``mlflowctl serve``: one supervisor per model and machine, its status on disk, and how it is stopped."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mlflowctl.errors import ConflictError, FindingsError, UsageError
from mlflowctl.files import write_atomic
from mlflowctl.registry.ledger import quoted
from mlflowctl.serving.endpoints import probe
from mlflowctl.serving.gateway import Gateway, binary
from mlflowctl.serving.place import Place
from mlflowctl.serving.preparation import Order
from mlflowctl.serving.supervising import Supervisor
from mlflowctl.stack import processes

if TYPE_CHECKING:
    from mlflowctl.settings import Context

STOPPING = 90.0  # seconds that a supervisor may take to end
SCHEMA = "mlflowctl.serving/1"


@contextmanager
def alone(place: Place, model: str) -> Iterator[None]:
    """Hold the place; the kernel lets go of it when this process dies.

    Raises:
        ConflictError: another supervisor holds it.
    """
    with place.lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                f"Model {model!r} is already served from {place.root}.",
                state="It goes on; nothing was changed.",
                next=f"mlflowctl model serving {quoted(model)}",
            ) from None
        yield


def serve(
    context: Context,
    model: str,
    place: Place,
    *,
    bind: str,
    port: int,
    order: Order,
    only: str,
    tell: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then let open requests end.

    Raises:
        ConflictError: the model is served here already.
        UsageError: the port is taken, or a program is missing.
    """
    binary()
    place.create()
    with alone(place, model):
        gateway = Gateway(place, bind, port)
        if gateway.process() is None:
            refuse_taken(bind, port)
        supervisor = Supervisor(context, model, place, gateway, order, only, tell)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stopping.set())
        processes.record(place.supervisor)
        written = _Written(supervisor)
        try:
            supervisor.run(written.write)
        finally:
            tell("open requests end, then the servers")
            supervisor.end()
            place.supervisor.unlink(missing_ok=True)
            place.status.unlink(missing_ok=True)


def refuse_taken(bind: str, port: int) -> None:
    """The gateway's port must be free.

    Raises:
        UsageError: it is not.
    """
    try:
        socket.create_server((bind, port)).close()
    except OSError as exc:
        raise UsageError(
            f"Port {port} on {bind} cannot be used: {exc.strerror or exc}.",
            state="Nothing was started.",
            next=f"Name another one: --port {port + 1}",
        ) from None


class _Written:
    """The status file, written when something in it changed."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor, self.last = supervisor, ""

    def write(self) -> None:
        text = json.dumps(state_of(self.supervisor), indent=1)
        if text != self.last:
            write_atomic(self.supervisor.place.status, text)
            self.last = text


def state_of(one: Supervisor) -> dict[str, Any]:
    """What a supervisor has and does, as plain data."""
    view, routes = one.view, one.routes
    servers = [
        {"version": version, "state": "ready", "port": group.port, "pids": [c.pid for c in group.children]}
        for version, group in one.ready.items()
    ]
    servers += [{"version": version, "state": "loading", "port": None, "pids": []} for version in one.pending]
    servers += [
        {"version": version, "state": "left over", "port": left.port, "pids": [p.pid for p in left.alive()]}
        for version, left in one.left.items()
    ]
    return {
        "schema": SCHEMA,
        "model": one.model,
        "pid": os.getpid(),
        "bind": one.gateway.bind,
        "port": one.gateway.port,
        "registry": {"champion": view.champion, "challenger": view.challenger} if view else None,
        "champion": routes.champion.version if routes.champion else None,
        "challenger": routes.challenger.version if routes.challenger else None,
        "share": routes.share,
        "mode": routes.mode,
        "step": routes.step,
        "servers": sorted(servers, key=lambda found: (found["version"], found["state"])),
        "failed": {str(version): failure.why for version, failure in one.failed.items()},
        "trouble": [text for text in (one.following.trouble, one.shipping.trouble) if text],
    }


def detach(place: Place, model: str, url: str, arguments: list[str], *, seconds: float) -> None:
    """Start a supervisor that outlives this command, and wait until the champion answers.

    Args:
        place: of the model.
        model: its name.
        url: of the gateway.
        arguments: of ``mlflowctl``, without ``--detach``.
        seconds: to wait.

    Raises:
        ConflictError, UsageError: the supervisor refused; its words are in the log.
        FindingsError: no champion answered in time; the supervisor goes on trying.
    """
    place.create()
    log = place.logs / "serve.log"
    with log.open("ab") as out:
        start = out.tell()
        child = subprocess.Popen(
            [sys.executable, "-m", "mlflowctl.cli.main", *arguments],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (code := child.poll()) is not None:
            said = log.read_bytes()[start:].decode(errors="replace").strip()
            kind = ConflictError if code == ConflictError.exit_code else UsageError
            raise kind(said.removeprefix("error: ") or f"It ended with exit code {code}.", next=f"Read {log}")
        # The gateway's own answer counts: for a moment after its start it knows no champion.
        if _answers(place, child.pid, url):
            return
        if _waits(place, child.pid):
            raise FindingsError(
                f"Model {model!r} has no version in Production.",
                state="The supervisor waits for one, and serves it as soon as it is there.",
                next=f"mlflowctl model promote {quoted(model)}   (docs/promotion.md, the first champion)",
            )
        time.sleep(0.1)
    raise FindingsError(
        f"No champion of model {model!r} answers after {seconds:.0f} s.",
        state="The supervisor goes on trying.",
        next=f"mlflowctl model serving {quoted(model)} --wait 120, or read {log}",
    )


def _answers(place: Place, pid: int, url: str) -> bool:
    """The gateway answers with what the supervisor of this pid routes."""
    with suppress(OSError, ValueError, KeyError):
        found = json.loads(place.status.read_text())
        served = found["champion"] or found["challenger"]
        variant = "champion" if found["champion"] else "challenger"
        return found["pid"] == pid and served is not None and probe(url, variant).version == served
    return False


def _waits(place: Place, pid: int) -> bool:
    with suppress(OSError, ValueError, KeyError):
        found = json.loads(place.status.read_text())
        return bool(found["pid"] == pid and found["registry"] and found["registry"]["champion"] is None)
    return False


def stop(place: Place) -> bool:
    """End the supervisor with gateway and servers, or what a killed one has left. False: nothing runs."""
    supervisor = processes.recorded(place.supervisor)
    if supervisor is not None:
        supervisor.send_signal(signal.SIGTERM)
        processes.wait_until(lambda: processes.recorded(place.supervisor) is None, timeout=STOPPING)
    left = [one for file in sorted(place.run.glob("*.pid")) if (one := processes.recorded(file))]
    if left:
        processes.end(left, signal=signal.SIGTERM, patience=35)
    for file in place.run.glob("*.pid"):
        file.unlink(missing_ok=True)
    place.status.unlink(missing_ok=True)
    place.routes.unlink(missing_ok=True)
    return supervisor is not None or bool(left)


def stop_all(root: Path) -> list[str]:
    """End whatever serves models from a stack's folder. Returns the models."""
    return [unquote(folder.name) for folder in sorted((root / "serving").glob("*/")) if stop(Place(folder))]
