"""One controller per model: a lease of its own, kept alive by a thread; promotions are not in its way.

A controller that was killed is told by its lease, which runs out, or by its process where it ran on this
machine. Nothing rests on the lease alone: every entry that a controller writes is refused by the ledger if
somebody else has written since.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from mlflowctl.errors import ConflictError, MlflowctlError
from mlflowctl.registry import ledger
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.leases import clock, is_free
from mlflowctl.registry.objects import Objects
from mlflowctl.storage.desired import LEASES_PREFIX

TTL = 20.0  # seconds
BEAT = 4.0  # seconds between two renewals


class ControllerRunsError(ConflictError):
    """Another controller tests this model."""

    code = "controller_runs"


@dataclass
class Hold:
    """A held lease.

    Attributes:
        record: as it is stored.
        etag: of the object as we wrote it.
        ends: on this machine's :func:`~mlflowctl.registry.leases.clock`.
        lost: somebody else has it.
    """

    model: str
    record: dict[str, Any]
    etag: str
    ends: float
    lost: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_sure(self) -> bool:
        """Whether nobody else can have taken it over."""
        return not self.lost and clock() < self.ends


@dataclass(frozen=True)
class Keeper:
    """Who controls, or did last.

    Attributes:
        runs: whether it still does.
        name: of the person or account that started it.
        host: where.
        pid: of the process there.
        seconds: since it was last heard of, by the store's clock.
        ended: it said so itself; else it died.
        looked: when it last looked, UTC, ISO 8601.
    """

    runs: bool
    name: str
    host: str
    pid: int
    seconds: float
    ended: bool
    looked: str


def folder(model: str) -> str:
    """Where the controller of a model keeps what it works with; old versions of it expire like leases."""
    return f"{LEASES_PREFIX}live/{quote(model, safe='')}/"


def key(model: str) -> str:
    """Where the lease is."""
    return f"{folder(model)}lease.json"


def look(objects: Objects, model: str) -> Keeper | None:
    """Who controls; None if nobody ever did."""
    stored = objects.get(key(model))
    record = _parse(stored.body) if stored else None
    if stored is None or record is None:
        return None
    holder = record.get("holder", {})
    return Keeper(
        runs=not (is_free(record, stored.age) or _is_dead(record)),
        name=str(holder.get("name", "unknown")),
        host=str(holder.get("host", "unknown")),
        pid=int(record.get("pid", 0)),
        seconds=max(stored.age, 0.0),
        ended=bool(record.get("released")),
        looked=str(record.get("looked", "")),
    )


@contextmanager
def held(objects: Objects, model: str, actor: Actor) -> Iterator[Hold]:
    """Be the controller for the block.

    Args:
        objects: the registry bucket.
        model: name of the registered model.
        actor: who.

    Raises:
        ControllerRunsError: there is one already.
    """
    hold = _acquire(objects, model, actor)
    stop = threading.Event()
    beats = threading.Thread(
        target=_beat, args=(Objects(objects.settings), hold, stop), name="lease", daemon=True
    )
    beats.start()
    try:
        yield hold
    finally:
        stop.set()
        beats.join(timeout=BEAT)
        with suppress(MlflowctlError):  # it ends by itself as well
            _write(objects, hold, released=True)


def note_look(hold: Hold) -> None:
    """Remember that a look was finished; the next renewal tells it."""
    with hold.lock:
        hold.record["looked"] = ledger.now()


def _acquire(objects: Objects, model: str, actor: Actor) -> Hold:
    began = clock()
    stored = objects.get(key(model))
    record = _parse(stored.body) if stored else None
    if stored and record and not (is_free(record, stored.age) or _is_dead(record)):
        raise _runs(model, record, stored.age)
    wanted = {
        "schema": "mlflowctl.live.lease/1",
        "holder": actor.as_dict(),
        "machine": machine(),
        "pid": os.getpid(),
        "token": uuid.uuid4().hex,
        "ttl": TTL,
        "released": False,
        "looked": "",
    }
    body = _encode(wanted)
    place = key(model)
    etag = objects.replace(place, body, stored.etag) if stored else objects.create(place, body)
    if etag is None:
        raise _runs(model, None, 0.0)
    return Hold(model, wanted, etag, began + TTL)


def _beat(objects: Objects, hold: Hold, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        with suppress(MlflowctlError):  # the store does not answer: until ``ends`` it is still ours
            if not _write(objects, hold):
                return


def _write(objects: Objects, hold: Hold, *, released: bool = False) -> bool:
    """Renew or release it; False if somebody else has it."""
    with hold.lock:
        began = clock()
        record = {**hold.record, "released": released, "beat": uuid.uuid4().hex}
        etag = None if hold.lost else objects.replace(key(hold.model), _encode(record), hold.etag)
        if etag is None:
            hold.lost = True
            return False
        hold.etag, hold.ends = etag, began + TTL
        return True


def _is_dead(record: dict[str, Any]) -> bool:
    """Whether the holder ran on this machine and its process is gone."""
    if record.get("machine") != machine():
        return False
    try:
        # A number that a stranger has by now counts as alive: then the lease runs out as usual.
        return bool(psutil.Process(int(record["pid"])).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, KeyError, TypeError, ValueError):
        return False


def machine() -> str:
    """This machine since its last start, as far as process numbers mean the same: containers differ."""
    found = [socket.gethostname()]
    with suppress(OSError):
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        found.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(found)


def _encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, indent=1).encode()


def _parse(body: bytes) -> dict[str, Any]:
    """A damaged record counts as one that ends by its age."""
    try:
        record = json.loads(body)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"ttl": TTL}


def _runs(model: str, record: dict[str, Any] | None, age: float) -> ControllerRunsError:
    holder = (record or {}).get("holder", {})
    who = f"{holder.get('name', 'somebody')} on {holder.get('host', 'another machine')}"
    where = f", process {record['pid']}" if record and record.get("pid") else ""
    return ControllerRunsError(
        f"Another controller tests model {model!r}: {who}{where}, heard of {max(age, 0.0):.0f} s ago.",
        state="Nothing was changed by this command.",
        next=f"mlflowctl live status {ledger.quoted(model)}; if it died, it is forgotten after {TTL:.0f} s.",
    )
