"""From the gateway's access log to records in the registry bucket, each line exactly once.

What a chunk covers is written down before the chunk is. A shipper that is killed in between writes the very
same bytes again under the same number, which changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.files import write_atomic
from mlflowctl.serving.fallback_server import ASKED
from mlflowctl.serving.payloads import prune
from mlflowctl.serving.records import Record, write_chunk
from mlflowctl.serving.routes import FALLBACK, service_of

if TYPE_CHECKING:
    from mlflowctl.registry.desk import Desk
    from mlflowctl.serving.gateway import Gateway
    from mlflowctl.serving.place import Place

EVERY = 2.0  # seconds
CHUNK = 8 << 20  # bytes of the log in one chunk, about 20,000 requests
ROTATE = 64 << 20  # bytes; an access log that is larger and wholly shipped is begun anew
QUIET = 3  # looks without growth after which a renamed log is complete
PREDICT = "predict@file"
FALLBACK_SERVICE = f"{FALLBACK}@file"


@dataclass(frozen=True)
class Mark:
    """How far the log was shipped.

    Attributes:
        sequence: number of the last chunk.
        start: byte of the log where the next one starts.
        end: byte where it ends; equal to ``start`` when nothing is on its way.
        file: inode of the log that these bytes are of; another file is read from its start.
    """

    sequence: int = 0
    start: int = 0
    end: int = 0
    file: int = 0


class Shipping(threading.Thread):
    """Reads the access log every two seconds and ships what is new."""

    def __init__(self, desk: Desk, model: str, place: Place, gateway: Gateway) -> None:
        super().__init__(daemon=True, name="shipping")
        self.desk, self.model, self.place, self.gateway = desk, model, place, gateway
        self.trouble = ""
        self.ended = threading.Event()
        self.turn = threading.Lock()
        self.quiet = 0

    def run(self) -> None:
        while not self.ended.wait(EVERY):
            self.ship()

    def finish(self) -> None:
        """Ship what is left; called after the gateway has ended."""
        self.ended.set()
        self.ship()

    def ship(self) -> None:
        """Ship everything that is complete. Trouble is kept in ``trouble``, and the log waits."""
        with self.turn:
            try:
                while self._one():
                    pass
                self._rotate()
                prune(self.place.payloads)
                self.trouble = ""
            except MlflowctlError as exc:
                self.trouble = exc.what
            except Exception as exc:
                self.trouble = f"{type(exc).__name__}: {exc}"

    @property
    def _old(self) -> Path:
        return self.place.gateway / "access.log.old"

    @property
    def _log(self) -> Path:
        return self._old if self._old.exists() else self.place.access_log

    def _one(self) -> bool:
        """Ship one chunk; False if there is nothing more."""
        mark = self._mark()
        if mark.end == mark.start:
            mark = replace(mark, end=self._complete(mark.start))
            if mark.end == mark.start:
                return False
            self._write(mark)
        records = list(self._records(mark))
        if records:
            write_chunk(self.desk.objects, self.model, self.place.identity, mark.sequence + 1, records)
        self._write(replace(mark, sequence=mark.sequence + bool(records), start=mark.end))
        return True

    def _complete(self, start: int) -> int:
        """Where the last whole line ends, at most a chunk away."""
        try:
            with self._log.open("rb") as log:
                log.seek(start)
                piece = log.read(CHUNK)
        except FileNotFoundError:
            return start
        return start + piece.rfind(b"\n") + 1

    def _records(self, mark: Mark) -> Iterator[Record]:
        with self._log.open("rb") as log:
            log.seek(mark.start)
            piece = log.read(mark.end - mark.start)
        salt = self.place.identity
        for line in piece.splitlines():
            if record := parsed(line, salt):
                yield record

    def _mark(self) -> Mark:
        file = self._log.stat().st_ino if self._log.exists() else 0
        try:
            mark = Mark(**json.loads(self._marks.read_text()))
        except FileNotFoundError:
            mark = Mark(file=file)
        return mark if mark.file == file else Mark(mark.sequence, file=file)

    def _write(self, mark: Mark) -> None:
        write_atomic(self._marks, json.dumps(asdict(mark)))

    @property
    def _marks(self) -> Path:
        return self.place.gateway / "shipped.json"

    def _rotate(self) -> None:
        """Begin a new log when this one is large. The gateway writes to the old one until it has heard."""
        if self._old.exists():
            self.quiet = self.quiet + 1 if self.place.access_log.exists() else 0
            if self.quiet >= QUIET:
                self._old.unlink()
                self.quiet = 0
        elif self._mark().start > ROTATE:
            self.place.access_log.rename(self._old)
            self.gateway.reopen_log()
            self.quiet = 0


def parsed(line: bytes, salt: str) -> Record | None:
    """One line of the access log; None if it is no request for a prediction that was drawn.

    Args:
        line: JSON, as Traefik writes it.
        salt: keeps clients' addresses out of the records.
    """
    try:
        raw: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    # Where a server gave no answer the log names the fallback, and the fallback's answer names the server.
    failed = raw.get("ServiceName") == FALLBACK_SERVICE
    service = service_of(raw.get(f"downstream_{ASKED}", "") if failed else raw.get("ServiceName", ""))
    if raw.get("RouterName") != PREDICT or service is None:
        return None
    step, variant, version = service
    client = raw.get("request_X-Client-Id") or raw.get("ClientHost") or ""
    return Record(
        at=datetime.fromisoformat(raw["StartUTC"][:26].rstrip("Z") + "+00:00").timestamp(),
        request=raw.get("downstream_X-Request-Id") or raw.get("request_X-Request-Id") or "",
        variant=variant,
        version=version,
        step=step,
        status=int(raw["DownstreamStatus"]),
        ms=round(raw["Duration"] / 1e6, 3),
        client=hashlib.sha256(f"{salt} {client}".encode()).hexdigest()[:16] if client else None,
    )
