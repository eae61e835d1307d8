"""The demo's gateway: started, or found where an earlier demo left it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mlflowctl.defaults import SERVING_PORT
from mlflowctl.errors import UsageError
from mlflowctl.serving import serve
from mlflowctl.serving.place import Place
from mlflowctl.stack import processes

if TYPE_CHECKING:
    from mlflowctl.settings import Context

LOADING = 180.0  # seconds


def gateway(context: Context, model: str) -> int:
    """Serve a model on this machine unless it is served. Returns the gateway's port.

    Raises:
        UsageError: no champion answers.
    """
    assert context.layout is not None, "the demo has a stack of its own"
    place = Place.of(context, model)
    if processes.recorded(place.supervisor) and (port := place.port()):
        return port
    port = _free()
    arguments = [
        "serve", model, "--env-manager", "local", "--workers", "1", "--port", str(port),
        "--data-dir", str(context.layout.root),
    ]  # fmt: skip
    serve.detach(place, model, f"http://127.0.0.1:{port}", arguments, seconds=LOADING)
    return port


def _free() -> int:
    """The usual port, or any other that is free."""
    for wanted in (SERVING_PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", wanted)) as found:
                return int(found.getsockname()[1])
        except OSError:
            continue
    raise UsageError("No port is free.", state="The stack runs; the demo ended.")
