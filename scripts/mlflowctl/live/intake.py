"""A small door for outcomes: JSON lines by HTTP, kept before they are acknowledged.

For applications that know what followed a request and have no place to write it. On this machine only, unless
told otherwise; whoever has the token may add outcomes, and nothing else.
"""

from __future__ import annotations

import hmac
import json
import math
import os
import secrets
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from mlflowctl.errors import AccessError, MlflowctlError, UsageError
from mlflowctl.files import locked, write_atomic

if TYPE_CHECKING:
    from mlflowctl.registry.objects import Objects

PATH = "/outcomes"
LIMIT = 1_000_000  # bytes of a request
ID_LIMIT = 200  # characters
SECONDS = 30.0  # for one request to arrive
PREFIX = "outcomes/"

Keep = Callable[[bytes], None]


class Refused(Exception):
    """What was sent is not kept.

    Args:
        status: of the answer.
        why: for whoever sent it.
    """

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


def token_of(path: Path) -> str:
    """The token in a file; a file that is not there is made, for the owner alone.

    Raises:
        UsageError: others may read it, or it holds no token.
        AccessError: it cannot be read or made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            write_atomic(path, secrets.token_urlsafe(32) + "\n")
        with path.open() as handle:
            mode = os.fstat(handle.fileno()).st_mode
            text = handle.read(1000).strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise AccessError(
            f"The token file {path} cannot be read or made: {exc}.",
            state="Nothing was started.",
            next=f"ls -ld {path}",
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            f"The token file {path} can be read by others.",
            state="Nothing was started.",
            next=f"chmod 600 {path}; if others may have seen it, delete it and a new one is made.",
        )
    if len(text) < 20 or not text.isascii() or len(text.split()) != 1:
        raise UsageError(
            f"The token file {path} holds no token: one word of 20 or more ASCII characters.",
            state="Nothing was started.",
            next=f"rm {path}; a new one is made.",
        )
    return text


def checked(body: bytes) -> bytes:
    """The outcomes of a request as JSON lines of ours.

    Raises:
        Refused: a line is not ``{"request_id": text, "value": number}``; then nothing of the request is kept.
    """
    lines = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            lines.append(json.dumps(_outcome(line, number), ensure_ascii=True) + "\n")
    if not lines:
        raise Refused(HTTPStatus.BAD_REQUEST, "There is no outcome in it.")
    return "".join(lines).encode()


def _outcome(line: bytes, number: int) -> dict[str, Any]:
    def refused(why: str) -> Refused:
        return Refused(HTTPStatus.BAD_REQUEST, f"Line {number}: {why} Nothing of this request was kept.")

    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise refused("it is no JSON.") from None
    if not isinstance(found, dict) or set(found) != {"request_id", "value"}:
        raise refused("it must be an object with request_id and value, and nothing else.")
    name, value = found["request_id"], found["value"]
    if not isinstance(name, str) or not 0 < len(name) <= ID_LIMIT:
        raise refused(f"request_id must be text of 1 to {ID_LIMIT} characters.")
    try:
        good = isinstance(value, bool | int | float) and math.isfinite(value)
    except OverflowError:
        good = False
    if not good:
        raise refused("value must be a finite number.")
    return {"request_id": name, "value": float(value)}


def to_files(folder: Path) -> Keep:
    """Keep outcomes in files of one hour each: what is over is read once and never again.

    A line that a power cut left half written was never acknowledged, and is cut off before more is written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(lines: bytes) -> None:
        path = folder / f"{datetime.now(UTC):%Y%m%dT%H}.jsonl"
        with locked(folder / ".lock"):
            new = not path.exists()
            with path.open("ab+") as handle:
                handle.truncate(_whole(handle))
                handle.write(lines)
                handle.flush()
                os.fsync(handle.fileno())
            if new:
                _sync(folder)

    return keep


def _whole(handle: Any) -> int:
    """Bytes up to the last line feed."""
    end: int = handle.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65_536)
        handle.seek(start)
        at = handle.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + int(at) + 1
        end = start
    return 0


def _sync(folder: Path) -> None:
    """The name of a new file is on disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_bucket(objects: Objects, model: str) -> Keep:
    """Keep each request's outcomes as an object of the registry bucket."""

    def keep(lines: bytes) -> None:
        objects.create(f"{bucket_prefix(model)}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex}.jsonl", lines)

    return keep


def bucket_prefix(model: str) -> str:
    """The folder of a model's outcomes in the registry bucket."""
    return f"{PREFIX}{quote(model, safe='')}/"


def server(token: str, keep: Keep, port: int, address: str = "127.0.0.1") -> ThreadingHTTPServer:
    """A server for outcomes; ``serve_forever`` starts it.

    Args:
        token: who sends it may add outcomes.
        keep: keeps JSON lines; what it raises is told as 503.
        port: 0 for any free one.
        address: to listen on.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "mlflowctl", ""
        protocol_version = "HTTP/1.1"
        timeout = SECONDS

        def do_POST(self) -> None:
            _answer(self, *_received(self, token, keep))

        def do_GET(self) -> None:
            _answer(self, HTTPStatus.METHOD_NOT_ALLOWED, {"error": f"POST JSON lines to {PATH}."})

        def log_message(self, *_: Any) -> None:
            """Nothing: one line a request would fill the terminal."""

    made = ThreadingHTTPServer((address, port), Handler)
    made.daemon_threads = True
    return made


def _received(handler: BaseHTTPRequestHandler, token: str, keep: Keep) -> tuple[HTTPStatus, dict[str, Any]]:
    try:
        lines = checked(_body(handler, token))
        keep(lines)
    except Refused as exc:
        return exc.status, {"error": str(exc)}
    except (MlflowctlError, OSError) as exc:
        why = exc.what if isinstance(exc, MlflowctlError) else f"The disk says: {exc.strerror or exc}."
        return HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"{why} Send it again later; rows count once."}
    return HTTPStatus.OK, {"kept": lines.count(b"\n")}


def _body(handler: BaseHTTPRequestHandler, token: str) -> bytes:
    """The body of an allowed request; nothing is read of another one."""
    sent = handler.headers.get("Authorization", "").encode("utf-8", "replace")
    if not hmac.compare_digest(sent, f"Bearer {token}".encode()):
        raise Refused(HTTPStatus.UNAUTHORIZED, "Authorization: Bearer TOKEN is missing or wrong.")
    if handler.path != PATH:
        raise Refused(HTTPStatus.NOT_FOUND, f"Outcomes go to {PATH}.")
    told = handler.headers.get("Content-Length", "")
    if not (told.isascii() and told.isdigit()) or "Transfer-Encoding" in handler.headers:
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "Content-Length is needed.")
    if int(told[:20]) > LIMIT:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {LIMIT:,} bytes in a request; send several."
        )
    body = handler.rfile.read(int(told))
    if len(body) < int(told):
        raise Refused(HTTPStatus.BAD_REQUEST, "The request ended early.")
    return body


def _answer(handler: BaseHTTPRequestHandler, status: HTTPStatus, answer: dict[str, Any]) -> None:
    body = (json.dumps(answer) + "\n").encode()
    handler.close_connection = status is not HTTPStatus.OK  # an unread body is no next request
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Cache-Control", "no-store")
    if status is HTTPStatus.UNAUTHORIZED:
        handler.send_header("WWW-Authenticate", "Bearer")
    if handler.close_connection:
        handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body)
