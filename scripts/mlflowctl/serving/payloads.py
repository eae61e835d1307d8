"""What was asked and what was answered, kept on this machine where somebody asks for it (``--payloads on``).

For ``model_server.py``, in the environment of the model: nothing but the standard library.
"""

from __future__ import annotations

import json
import logging
import time
from base64 import b64encode
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflowctl.serving.model_server import App, Message, Receive, Send

PATH = "/invocations"
BODY = 64 << 10  # bytes of a body that are kept
FILE, FILES = 16 << 20, 3  # bytes of a file, and how many older ones each process keeps
TOTAL = 512 << 20  # bytes of all files of a model


class Kept:
    """The application, of which every request for a prediction is written down with its answer.

    Args:
        app: the application.
        folder: of the files.
        name: of this process's file; no other process has it.
    """

    def __init__(self, app: App, folder: Path, name: str) -> None:
        self.app = app
        # The handler alone: a logger would be found, and set up, by the model's code.
        self.file = RotatingFileHandler(
            folder / f"{name}.jsonl", maxBytes=FILE, backupCount=FILES, delay=True, encoding="utf-8"
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.app(scope, receive, send)
            return
        asked, answered = bytearray(), bytearray()
        line: dict[str, Any] = {"at": time.time()}

        async def heard() -> Message:
            message = await receive()
            _add(asked, message)
            return message

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                line.update(_told(message))
            _add(answered, message)
            await send(message)

        try:
            await self.app(scope, heard, said)
        finally:
            line |= {"request": _text(asked), "answer": _text(answered)}
            if max(len(asked), len(answered)) > BODY:
                line["cut"] = True
            self.file.emit(_record(json.dumps(line)))


def prune(folder: Path) -> None:
    """Remove the oldest files beyond the total; the processes that wrote them may be gone.

    Args:
        folder: of the files.
    """
    found: list[tuple[float, int, Path]] = []
    for file in folder.glob("*.jsonl*"):
        with suppress(FileNotFoundError):  # its process has renamed it meanwhile
            known = file.stat()
            found.append((known.st_mtime, known.st_size, file))
    total = 0
    for _, size, file in sorted(found, reverse=True):
        total += size
        if total > TOTAL:
            file.unlink(missing_ok=True)


def _add(body: bytearray, message: Message) -> None:
    """One byte more than is kept tells that there was more."""
    body += bytes(message.get("body", b""))[: BODY + 1 - len(body)]


def _told(message: Message) -> dict[str, Any]:
    headers = dict(message.get("headers", ()))
    return {
        "request_id": headers.get(b"x-request-id", b"").decode("latin-1"),
        "version": headers.get(b"x-model-version", b"").decode("latin-1"),
        "status": message["status"],
    }


def _text(body: bytearray) -> str:
    """As text, or as ``base64:…`` where it is none."""
    kept = bytes(body[:BODY])
    try:
        return kept.decode()
    except UnicodeDecodeError as exc:
        # A character that the limit cut in two is no reason to call a text binary.
        if len(body) > BODY and exc.start > BODY - 4:
            return kept[: exc.start].decode()
        return "base64:" + b64encode(kept).decode()


def _record(line: str) -> logging.LogRecord:
    return logging.LogRecord("payloads", logging.INFO, "", 0, line, None, None)
