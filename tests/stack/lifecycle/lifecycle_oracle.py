"""What must be true of a ledger, apart from the code that writes it: a small model of the expected state."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mlflowctl.registry import ledger_state
from mlflowctl.registry.ledger import FIRST, Chained, Entry, Ledger
from mlflowctl.registry.port import VALIDATION_STATUS


@dataclass
class Chronicle:
    """Reads a ledger as it grows and holds every new entry against the rules.

    Attributes:
        last: the entry read last.
        open: the intent that was not closed yet.
        frozen: whether promotions are.
        left: versions that were rolled back from and that nobody made champion since.
        passed: the champion that a version passed its validation against, as long as that counts.
        champion: by the ledger.
        kinds: how many entries of which kind, and what they moved.
    """

    last: Chained = field(default_factory=lambda: Chained(None))
    open: Entry | None = None
    frozen: bool = False
    left: set[int] = field(default_factory=set)
    passed: dict[int, int | None] = field(default_factory=dict)
    champion: int | None = None
    kinds: Counter[str] = field(default_factory=Counter)

    def read_on(self, ledger: Ledger) -> None:
        """Take in what was appended."""
        numbers = list(ledger.numbers(self.last.number + 1))
        assert numbers == list(range(self.last.number + 1, self.last.number + 1 + len(numbers))), numbers
        for number in numbers:
            found = ledger.read(number)
            assert found.entry is not None
            self._follows(found.entry)
            self._take(found.entry)
            self.last = found
            assert hashlib.sha256(found.entry.encode()).hexdigest() == found.hash

    def _follows(self, entry: Entry) -> None:
        assert entry.previous == (self.last.hash if self.last.number else FIRST), entry
        folded = ledger_state.fold(
            self.last.state, entry.kind, entry.number, entry.at, entry.actor, entry.body
        )
        assert entry.state == folded, entry

    def _take(self, entry: Entry) -> None:
        body, kind = entry.body, entry.kind
        self.kinds[f"{kind} {body['move']}" if kind in ("intent", "done") else kind] += 1
        if kind == "intent":
            assert self.open is None, f"entry {entry.number} begins a move before the last one was closed"
            self.open = entry
            if body["move"] == "promote" and not body.get("restored"):
                self._may_promote(entry)
        elif kind in ("done", "aborted"):
            assert self.open is not None, f"entry {entry.number} closes nothing"
            assert body["intent"] == self.open.number
            begun, self.open = self.open.body, None
            if kind == "done":
                assert {name: body[name] for name in begun} == begun
                self._done(entry)
            self.kinds["recovered"] += bool(body.get("recovered"))
        elif kind in ("frozen", "unfrozen"):
            self.frozen = kind == "frozen"
        elif kind == "validated":
            self.passed.pop(body["version"], None)
            if body["verdict"] == "pass":
                self.passed[body["version"]] = body["champion"]
        elif kind == "observed":
            self._observed(body)
        assert entry.state["champion"] == self.champion, entry

    def _may_promote(self, entry: Entry) -> None:
        body = entry.body
        assert not self.frozen, f"entry {entry.number} promotes although the model is frozen"
        if not body["override"]:
            assert body["version"] in self.passed, f"entry {entry.number} promotes what did not pass"
            assert self.passed[body["version"]] == body["champion"], f"entry {entry.number}: another champion"

    def _done(self, entry: Entry) -> None:
        body = entry.body
        version = body["version"]
        if body["move"] == "rollback":
            assert version not in self.left, f"entry {entry.number} brings back v{version}, which had failed"
            self._leave(body["champion"])
        if body["move"] in ("promote", "rollback"):
            self.champion = version
            self.left.discard(version)
        elif body["move"] == "retire":
            self.champion = None
        elif body["move"] == "stage" and [version, VALIDATION_STATUS, "pending"] in body["tags"]:
            self.passed.pop(version, None)  # from the archive it starts anew

    def _observed(self, body: dict[str, Any]) -> None:
        if body.get("failed") is not None:
            assert body["champion"] not in self.left, f"break glass brought back v{body['champion']}"
            self._leave(body["failed"])
        if body["champion"] != self.champion:
            self.left.discard(body["champion"])
        self.champion = body["champion"]

    def _leave(self, version: int) -> None:
        self.left.add(version)
        self.passed.pop(version, None)
