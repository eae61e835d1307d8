"""The whole ledger of a model, read again: every hash, every fold, and its witnesses elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry import foreign, leases, ledger_state
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import FIRST, BrokenLedgerError, Chained, Entry, Ledger
from mlflowctl.registry.port import HEAD_TAG

BATCH = 64
READERS = 8
# Kinds that say nothing against the ledger: it and the registry differ, as after a restore to an earlier time
# or a change by another client, and reconcile settles it.
APART = {"foreign", "phantom", "unfinished"}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: edited (also inserted or moved), missing, damaged, truncated, state, evidence, foreign,
            phantom, unfinished.
        entry: number of the entry that it is about; 0 if it is about none.
        what: in words.
    """

    kind: str
    entry: int
    what: str

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "entry": self.entry, "what": self.what}


@dataclass
class Audit:
    """What the audit of one model found.

    Attributes:
        model: name of the registered model.
        entries: how many were read.
        head: hash of the last one.
        findings: what is wrong.
        notes: what could not be checked, and what is no fault.
    """

    model: str
    entries: int = 0
    head: str = FIRST
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "entries": self.entries,
            "head": self.head,
            "findings": [one.as_dict() for one in self.findings],
            "notes": self.notes,
        }


def audit(desk: Desk, model: str) -> Audit:
    """Audit one model, in memory that does not grow with the ledger."""
    found = Audit(model)
    rows = _rows(desk, model, found)
    matcher = foreign.Matcher(rows) if rows is not None else None
    state, expected = ledger_state.empty(), 1
    previous: str | None = FIRST  # None: could not be read
    vouched: list[Entry] = []
    hashes = _Witnesses(*_witnesses(desk, model, found))
    for number, chained, problem in _read_all(desk.ledger(model)):
        if number != expected:
            gap = f"{expected}" if number == expected + 1 else f"{expected} to {number - 1}"
            found.findings.append(Finding("missing", expected, f"entry {gap} is missing"))
        whole = number == expected and previous is not None  # else the fault was found; this one may be good
        expected, found.entries = number + 1, found.entries + 1
        if chained is None or chained.entry is None:
            found.findings.append(Finding("damaged", number, problem))
            previous = None
            continue
        entry = chained.entry
        if whole:
            _link(found, entry, previous or FIRST, number)
            state = _refold(found, entry, state)
        state, previous = entry.state, chained.hash
        hashes.see(number, chained.hash)
        if entry.kind == ledger_state.VALIDATED or (
            entry.kind == ledger_state.LIVE and entry.body.get("evidence")
        ):
            vouched.append(entry)
        if len(vouched) >= BATCH:
            found.findings += _evidence(desk, vouched)
            vouched.clear()
        if matcher:
            matcher.feed(number, entry.kind, entry.body)
    found.head = previous or FIRST
    hashes.judge(found)
    found.findings += _evidence(desk, vouched)
    if state["open"]:
        left = state["open"]
        what = f"{left['move']} of v{left['version']} was begun and never finished: mlflowctl model reconcile"
        found.findings.append(Finding("unfinished", left["number"], what))
    if matcher:
        _foreign(found, matcher)
    return found


def _read_all(ledger: Ledger) -> Iterator[tuple[int, Chained | None, str]]:
    """Every entry that is there, in order: (number, entry or None, why not), a batch at a time."""

    def one(number: int) -> tuple[int, Chained | None, str]:
        try:
            return number, ledger.read(number), ""
        except BrokenLedgerError as exc:  # anything else, such as a store that went away, ends the audit
            return number, None, exc.what

    numbers = ledger.numbers()
    with ThreadPoolExecutor(READERS) as readers:
        while batch := list(islice(numbers, BATCH)):
            yield from readers.map(one, batch)


def _link(found: Audit, entry: Entry, previous: str, number: int) -> None:
    if entry.previous != previous and number > 1:
        what = f"entry {number} does not follow from the one before it: edited, inserted or moved"
        found.findings.append(Finding("edited", number, what))
    elif entry.previous != FIRST and number == 1:
        found.findings.append(Finding("edited", number, "entry 1 says that another one came before it"))


def _refold(found: Audit, entry: Entry, state: dict[str, Any]) -> dict[str, Any]:
    if entry.state.get("fold") != ledger_state.FOLD:
        note = "states that another release of mlflowctl folded were not compared"
        found.notes += [note] if note not in found.notes else []
        return entry.state
    try:
        folded = ledger_state.fold(state, entry.kind, entry.number, entry.at, entry.actor, entry.body)
    except (KeyError, TypeError, ValueError, AttributeError):
        found.findings.append(
            Finding("damaged", entry.number, f"entry {entry.number} lacks what its kind needs")
        )
        return entry.state
    if folded != entry.state:
        what = f"entry {entry.number} claims a state that does not follow from the entries"
        found.findings.append(Finding("state", entry.number, what))
    return entry.state


class _Witnesses:
    """Heads that others remember: a ledger that ends before one of them was cut, or rewritten."""

    def __init__(self, tag: leases.Head, lease: leases.Head) -> None:
        self.said = {f"tag {HEAD_TAG} of the registered model": tag, "the last lease": lease}
        self.seen: dict[str, str] = {}
        self.last = 0

    def see(self, number: int, digest: str) -> None:
        self.last = number
        for who, head in self.said.items():
            if head.number == number:
                self.seen[who] = digest

    def judge(self, found: Audit) -> None:
        for who, head in self.said.items():
            if head.number > self.last:
                what = (
                    f"{who} knows {head.number} entries, the ledger ends at {self.last}: the end was cut off"
                )
                found.findings.append(Finding("truncated", head.number, what))
            elif head.number and self.seen.get(who) not in (None, head.hash):
                what = f"{who} knows another entry {head.number}: the chain was rewritten"
                found.findings.append(Finding("edited", head.number, what))


def _witnesses(desk: Desk, model: str, found: Audit) -> tuple[leases.Head, leases.Head]:
    record, _ = leases.look(desk.objects, model)
    tag = leases.Head()
    try:
        number, _, digest = desk.registry.model_tags(model).get(HEAD_TAG, "0 ").partition(" ")
        tag = leases.Head(int(number), digest) if number.isdigit() else tag
    except MlflowctlError as exc:
        found.notes.append(f"the registry's witness could not be read: {exc.what}")
    return tag, leases.witnessed(record)


def _evidence(desk: Desk, entries: list[Entry]) -> list[Finding]:
    """The evidence that these entries vouch for is there and unchanged."""

    def problem(entry: Entry) -> Finding | None:
        place = str(entry.body.get("evidence"))
        # A validation names a folder, a live test its one file.
        stored = desk.objects.get(f"{place}evidence.json" if place.endswith("/") else place)
        if stored is None:
            gone = f"the evidence of entry {entry.number} is gone ({place})"
            return Finding("evidence", entry.number, gone)
        if hashlib.sha256(stored.body).hexdigest() != entry.body.get("sha256"):
            return Finding("evidence", entry.number, f"the evidence of entry {entry.number} was changed")
        return None

    with ThreadPoolExecutor(READERS) as readers:
        return [one for one in readers.map(problem, entries) if one]


def _rows(desk: Desk, model: str, found: Audit) -> list[foreign.Switch] | None:
    try:
        return foreign.switches(desk, model)
    except foreign.NoHistoryError as exc:
        found.notes.append(f"changes behind the ledger's back could not be looked for: {exc.what}")
        return None


def _foreign(found: Audit, matcher: foreign.Matcher) -> None:
    matcher.finish()
    for row in matcher.unrecorded:
        what = f"v{row.version} became champion at {row.at:%Y-%m-%dT%H:%M:%SZ}, and no entry says so"
        found.findings.append(Finding("foreign", 0, what))
    for number, version in matcher.missing:
        what = (
            f"entry {number} says that v{version} became champion; the database does not have it (as after a "
            "restore to an earlier time: mlflowctl model reconcile)"
        )
        found.findings.append(Finding("phantom", number, what))
