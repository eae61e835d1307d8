"""One lease per model: who may switch right now. Taken, renewed and released by conditional writes alone.

Nothing is ever deleted: a released lease is an object that says so. Its age is told by the store's
clock, so machines with wrong clocks agree on when it ends.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mlflowctl.errors import ConflictError, MlflowctlError
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.objects import Objects, Stored
from mlflowctl.storage.desired import LEASES_PREFIX

# Seconds. Longer than a switch can take effect after it was sent: the call's own timeout (a third of it)
# and the 20 s that the guard lets a change wait for its turn.
TTL = 60.0
POLL = 0.25
# The store tells its clock in whole seconds, twice.
SLACK = 2.0


class LeaseHeldError(ConflictError):
    """Somebody else may switch right now."""

    code = "lease_held"


@dataclass(frozen=True)
class Head:
    """Where the ledger ended when a lease was released: a hint, and a witness against a cut tail."""

    number: int = 0
    hash: str = ""


@dataclass
class Lease:
    """A held lease.

    Attributes:
        model: whose switch it is.
        etag: of the object as we wrote it.
        ends: on this machine's clock (:func:`clock`); counted from before the request was sent.
        head: to be left behind when it is released.
        ttl: seconds.
        keep: do not give it back, let it run out: a change was sent and its outcome is not known yet.
    """

    model: str
    record: dict[str, Any]
    etag: str
    ends: float
    head: Head
    ttl: float
    keep: bool = False

    @property
    def remaining(self) -> float:
        """Seconds for which nobody else can have taken it over."""
        return self.ends - clock()


def clock() -> float:
    """Seconds that only go forward, and also while the machine sleeps: a lease runs out meanwhile."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def key(model: str) -> str:
    """Where a model's lease is."""
    return f"{LEASES_PREFIX}{quote(model, safe='')}.json"


def look(objects: Objects, model: str) -> tuple[dict[str, Any] | None, float]:
    """The lease as it stands, without taking it: the record (None: never taken) and its age in seconds."""
    stored = objects.get(key(model))
    return (_parse(stored), stored.age) if stored else (None, 0.0)


def witnessed(record: dict[str, Any] | None) -> Head:
    """The ledger's head as the last lease left it."""
    if not record or not isinstance(record.get("head"), dict):
        return Head()
    head = record["head"]
    return Head(int(head.get("number", 0)), str(head.get("hash", "")))


def is_free(record: dict[str, Any] | None, age: float) -> bool:
    """Whether the lease could be taken: never taken, released, or run out."""
    return record is None or bool(record.get("released")) or age > float(record.get("ttl", TTL)) + SLACK


@contextmanager
def held(objects: Objects, model: str, actor: Actor, message: str, *, wait: float = 0.0) -> Iterator[Lease]:
    """Hold the model's lease for the block.

    Args:
        objects: the registry bucket.
        model: name of the registered model.
        actor: who asks.
        message: what for, for whoever finds it held.
        wait: seconds to wait for another holder.

    Raises:
        LeaseHeldError: another command holds it.
    """
    lease = acquire(objects, model, actor, message, wait=wait)
    try:
        yield lease
    finally:
        if not lease.keep:
            # It ends by itself as well; what the block did or raised must not be hidden by this.
            with suppress(MlflowctlError):
                release(objects, lease)


def acquire(objects: Objects, model: str, actor: Actor, message: str, *, wait: float = 0.0) -> Lease:
    """Take the lease; see :func:`held`."""
    deadline = time.monotonic() + wait
    while True:
        began = clock()
        stored = objects.get(key(model))
        record = _parse(stored) if stored else None
        if is_free(record, stored.age if stored else 0.0):
            wanted = _record(actor, message, witnessed(record))
            body = _encode(wanted)
            etag = (
                objects.replace(key(model), body, stored.etag) if stored else objects.create(key(model), body)
            )
            if etag is not None:
                return Lease(model, wanted, etag, began + TTL, witnessed(record), TTL)
        if time.monotonic() >= deadline:
            raise _held_by(model, record, stored)
        time.sleep(POLL)


def is_ours(objects: Objects, lease: Lease) -> bool:
    """Whether nobody has broken it or taken it over meanwhile."""
    stored = objects.get(key(lease.model))
    return stored is not None and stored.etag == lease.etag


def release(objects: Objects, lease: Lease) -> bool:
    """Give it back, leaving the ledger's head behind; False if somebody took it over meanwhile."""
    record = {
        **lease.record,
        "released": True,
        "head": {"number": lease.head.number, "hash": lease.head.hash},
    }
    return objects.replace(key(lease.model), _encode(record), lease.etag) is not None


def break_it(objects: Objects, model: str, actor: Actor, reason: str) -> dict[str, Any] | None:
    """End somebody else's lease before its time; returns the broken one, None if there was none to break.

    Raises:
        ConflictError: it changed at this moment.
    """
    stored = objects.get(key(model))
    record = _parse(stored) if stored else None
    if stored is None or record is None or is_free(record, stored.age):
        return None
    broken = {**record, "released": True, "broken": {"by": actor.as_dict(), "reason": reason}}
    if objects.replace(key(model), _encode(broken), stored.etag) is None:
        raise ConflictError(
            f"The lease of model {model!r} changed at this very moment.",
            state="Nothing was changed.",
            next=f"mlflowctl model status {model}",
        )
    return record


def _record(actor: Actor, message: str, head: Head) -> dict[str, Any]:
    return {
        "schema": "mlflowctl.lease/1",
        "holder": actor.as_dict(),
        "message": message,
        "token": uuid.uuid4().hex,
        "ttl": TTL,
        "released": False,
        "head": {"number": head.number, "hash": head.hash},
    }


def _encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, indent=1).encode()


def _parse(stored: Stored) -> dict[str, Any]:
    """A damaged record counts as one that ends by its age, never as free at once."""
    try:
        record = json.loads(stored.body)
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"message": "unreadable", "ttl": TTL}


def _held_by(model: str, record: dict[str, Any] | None, stored: Stored | None) -> LeaseHeldError:
    holder = (record or {}).get("holder", {})
    age = stored.age if stored else 0.0
    left = max(0.0, float((record or {}).get("ttl", TTL)) + SLACK - age)
    who = f"{holder.get('name', 'unknown')} on {holder.get('host', 'an unknown machine')}"
    return LeaseHeldError(
        f"{who} is changing model {model!r} ({(record or {}).get('message', '')}), for {age:.0f} s.",
        state=f"Nothing was changed by this command. If that command died, its lease ends in {left:.0f} s.",
        next=f"Add --lease-wait {left + 5:.0f}; or, if it is certainly dead: "
        f"mlflowctl model reconcile {model} --break-lease --reason '…'",
    )
