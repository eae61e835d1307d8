"""The ledger: one chain of entries per model in the registry bucket, append-only.

The key of an entry is its number, and it is written only if that key is free. So two writers cannot both
be the next one: the number is the fence. Each entry names the hash of the one before it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote

from mlflowctl.errors import ConflictError, MlflowctlError
from mlflowctl.registry import ledger_state
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.leases import Head
from mlflowctl.registry.objects import Objects
from mlflowctl.storage.desired import LEDGER_PREFIX

SCHEMA = "mlflowctl.ledger/1"
PAGE = 1000
ATTEMPTS = 20
READERS = 8
BATCH = 64
Check = Callable[[dict[str, Any]], None]
FIRST = "0" * 64  # what the first entry names as the one before it


class BrokenLedgerError(ConflictError):
    """The chain does not hold: an entry is missing, changed, or not of this model."""

    code = "ledger_broken"


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        model: name of the registered model.
        number: 1, 2, 3, …
        previous: SHA-256 of the entry before it, as it is stored.
        at: UTC, ISO 8601; by the writer's clock.
        kind: one of ``ledger_state.KINDS``.
        actor: who: name, kind, host.
        reason: why, in the actor's words.
        body: what; see docs/promotion.md.
        state: the fold of everything up to and including this entry.
        id: unique, so that a repeated write can be told from another writer's.
    """

    model: str
    number: int
    previous: str
    at: str
    kind: str
    actor: dict[str, str]
    reason: str
    body: dict[str, Any]
    state: dict[str, Any]
    id: str

    def encode(self) -> bytes:
        """The bytes that are stored and hashed."""
        raw = {"schema": SCHEMA, **self.__dict__}
        return json.dumps(raw, sort_keys=True, indent=1, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Chained:
    """An entry, and the hash of its stored bytes."""

    entry: Entry | None
    hash: str = FIRST

    @property
    def number(self) -> int:
        return self.entry.number if self.entry else 0

    @property
    def state(self) -> dict[str, Any]:
        return self.entry.state if self.entry else ledger_state.empty()

    @property
    def head(self) -> Head:
        return Head(self.number, self.hash)


def prefix(model: str) -> str:
    """The folder of a model's ledger."""
    return f"{LEDGER_PREFIX}{quote(model, safe='')}/"


def key(model: str, number: int) -> str:
    """Where an entry is."""
    return f"{prefix(model)}{number:012d}.json"


def models(objects: Objects) -> list[str]:
    """The models that have a ledger."""
    return [unquote(name) for name in objects.folders(LEDGER_PREFIX)]


class Ledger:
    """The ledger of one model."""

    def __init__(self, objects: Objects, model: str) -> None:
        self.objects = objects
        self.model = model

    def read(self, number: int) -> Chained:
        """One entry.

        Raises:
            BrokenLedgerError: it is missing or damaged.
        """
        stored = self.objects.get(key(self.model, number))
        if stored is None:
            raise self.broken(f"entry {number} is missing")
        return self._parse(number, stored.body)

    def _parse(self, number: int, body: bytes) -> Chained:
        try:
            raw = json.loads(body)
            schema = raw.pop("schema")
            entry = Entry(**raw)
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise self.broken(f"entry {number} cannot be read ({type(exc).__name__})") from None
        if schema != SCHEMA:
            raise MlflowctlError(
                f"Entry {number} of the ledger of {self.model!r} is of a newer mlflowctl ({schema}).",
                state="Nothing was changed.",
                next="python -m pip install --upgrade mlflowctl",
            )
        if (entry.model, entry.number) != (self.model, number):
            raise self.broken(f"entry {number} is one of {entry.model!r}, number {entry.number}")
        return Chained(entry, hashlib.sha256(body).hexdigest())

    def broken(self, what: str) -> BrokenLedgerError:
        """The error for a chain that does not hold."""
        return BrokenLedgerError(
            f"The ledger of model {self.model!r} is broken: {what}.",
            state="Nothing was changed.",
            next=f"mlflowctl model audit {quoted(self.model)}, then docs/runbook.md, ledger broken",
        )

    def head(self, hint: Head | None = None) -> Chained:
        """The last entry.

        Args:
            hint: where it was some time ago; then two requests find it, however long the ledger is.

        Raises:
            BrokenLedgerError: it ends before the hint.
        """
        known = hint or Head()
        last = self._last_number(known.number)
        if known.number and last == known.number and known.number:
            found = self.read(last)
            if found.hash != known.hash:
                raise self.broken(f"entry {last} is not the one that the last command left there")
            return found
        return self.read(last) if last else Chained(None)

    def _last_number(self, known: int) -> int:
        """The highest number, by asking "is there anything beyond n?", which gaps cannot mislead."""
        near = self._beyond(max(known - 1, 0), PAGE)
        if known and not near:
            raise self.broken(f"it ends before entry {known}, which was its head at the last command")
        if len(near) < PAGE:  # the usual case: one request
            return near[-1] if near else 0
        low, high = near[-1], near[-1] + PAGE
        while found := self._beyond(high, 1):
            low, high = found[0], 2 * high
        while high - low > PAGE:
            middle = (low + high) // 2
            if found := self._beyond(middle, 1):
                low = found[0]
            else:
                high = middle
        rest = self._beyond(low, PAGE)
        return rest[-1] if rest else low

    def _beyond(self, number: int, limit: int) -> list[int]:
        keys = self.objects.keys_after(prefix(self.model), key(self.model, number), limit)
        return [int(one.rsplit("/", 1)[1].split(".")[0]) for one in keys if one.endswith(".json")]

    def append(
        self,
        kind: str,
        actor: Actor,
        reason: str,
        body: dict[str, Any],
        *,
        after: Chained | None = None,
        check: Check | None = None,
    ) -> Chained:
        """Append an entry wherever the end is now; for entries that no other entry can contradict.

        Args:
            kind: of ``ledger_state.KINDS``.
            actor: who.
            reason: why.
            body: what.
            after: where the end was a moment ago.
            check: raises if the entry must not stand on this state.

        Raises:
            ConflictError: others kept being faster.
        """
        head = after or self.head()
        for _ in range(ATTEMPTS):
            if check:
                check(head.state)
            written = self.append_exactly(head, kind, actor, reason, body)
            if written is not None:
                return written
            head = self.head(head.head)
        raise ConflictError(
            f"The ledger of model {self.model!r} is being written by many at once.",
            state="Nothing was recorded by this command.",
            next="Repeat the command.",
        )

    def append_exactly(
        self, after: Chained, kind: str, actor: Actor, reason: str, body: dict[str, Any]
    ) -> Chained | None:
        """Append an entry only as the one right behind ``after``; None if that place is taken."""
        at, number = now(), after.number + 1
        state = ledger_state.fold(after.state, kind, number, at, actor.as_dict(), body)
        entry = Entry(
            self.model, number, after.hash, at, kind, actor.as_dict(), reason, body, state, uuid.uuid4().hex
        )
        data = entry.encode()
        if self.objects.create(key(self.model, number), data) is None:
            return None
        return Chained(entry, hashlib.sha256(data).hexdigest())

    def entries(self, start: int = 1) -> Iterator[Chained]:
        """All entries in order, in bounded memory: a page of keys at a time, read by a few threads.

        A missing number is skipped here and found by the audit; a damaged entry raises.
        """
        numbers = self.numbers(start)
        with ThreadPoolExecutor(READERS) as readers:
            while batch := list(islice(numbers, BATCH)):
                yield from readers.map(self.read, batch)

    def numbers(self, start: int = 1) -> Iterator[int]:
        """The numbers that are there, in order, a page of keys at a time."""
        after = start - 1
        while page := self._beyond(after, PAGE):
            yield from page
            after = page[-1]


def now() -> str:
    """This moment, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quoted(name: str) -> str:
    """A name as it can be pasted into a shell."""
    import shlex

    return shlex.quote(name)
