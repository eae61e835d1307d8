"""One process that answers for one version: MLflow's own scoring server, on a socket that it is handed.

This file is started by the interpreter of the *model's* environment, in which mlflowctl is not installed: it
uses nothing but the standard library, MLflow, and the uvicorn that MLflow brings.

    python model_server.py --fd 3 --model FOLDER --name NAME --version 7
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
KEEP_ALIVE = 75  # seconds; longer than any proxy in front keeps an idle connection
GRACE = 30  # seconds that requests get to end when the process is told to
ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Marked:
    """The application, every answer of which tells its request's id and the version that made it."""

    def __init__(self, app: App, name: str, version: str) -> None:
        self.app = app
        self.fixed = [(b"x-model-version", version.encode()), (b"x-model-name", header(name))]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        marks = [*self.fixed, (b"x-request-id", request_id(scope))]

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *marks]
            await send(message)

        await self.app(scope, receive, marked)


def request_id(scope: Message) -> bytes:
    """The caller's own id if it sent a sound one, so that its outcomes can be joined; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and ID.fullmatch(value):
            return bytes(value)
    return uuid.uuid4().hex.encode()


def header(text: str) -> bytes:
    """A name as a header may carry it: other than printable ASCII is percent-encoded."""
    from urllib.parse import quote

    return quote(text, safe=" !#$&'()*+,-./:;=?@[]_~").encode()


def _application(folder: str) -> App:
    """MLflow's scoring server with the model loaded."""
    from mlflow.pyfunc import scoring_server

    os.environ[scoring_server._SERVER_MODEL_PATH] = folder
    try:
        from mlflow.pyfunc.scoring_server.app import app
    except ImportError:
        sys.exit("This model's MLflow has no ASGI scoring server; log the model with MLflow 3 or newer.")
    application: App = app
    return application


def _keeping(app: App, folder: Path, name: str) -> App:
    """The application that keeps payloads; the module for it is the file beside this one."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("mlflowctl_payloads", HERE / "payloads.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    kept: App = module.Kept(app, folder, name)
    return kept


def main() -> None:
    """Load, then serve until told to end."""
    # Python puts a script's folder first; a model that imports `records` means a package of that name.
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != HERE]
    asked = argparse.ArgumentParser()
    asked.add_argument("--fd", type=int, required=True)
    for name in ("--model", "--name", "--version"):
        asked.add_argument(name, required=True)
    asked.add_argument("--payloads", type=Path)
    arguments = asked.parse_args()
    import uvicorn

    app: App = Marked(_application(arguments.model), arguments.name, arguments.version)
    if arguments.payloads:
        app = _keeping(app, arguments.payloads, f"v{arguments.version}-{os.getpid()}")
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=arguments.fd)])


if __name__ == "__main__":
    main()
