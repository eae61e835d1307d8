"""One look of the controller: ledger, records, clock and server become a :class:`~.sight.Sight`."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.live import notebook as notes
from mlflowctl.live.bake import Bake, judge_bake
from mlflowctl.live.evidence import Evidence, gather, judge
from mlflowctl.live.health import Pulse
from mlflowctl.live.judge import LiveVerdict
from mlflowctl.live.notebook import Notebook
from mlflowctl.live.sight import Harm, Health, Sight
from mlflowctl.live.state import LiveTest
from mlflowctl.registry import ledger, ledger_state
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.leases import clock
from mlflowctl.registry.ledger import Chained
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.verdict import GateResult
from mlflowctl.serving.traffic import of_state

DRIFT_EVERY = 10.0  # seconds between two questions whether the registry says what the ledger says


@dataclass
class Watch:
    """Looks, and remembers between looks only what makes the next one quick.

    Attributes:
        desk: where.
        model: name of the registered model.
        policy: as it was read when the controller began.
        pulse: of the challenger's server.
        work: folder for the index of outcomes.
        notebook: of the test that is under way.
    """

    desk: Desk
    model: str
    policy: Policy
    pulse: Pulse
    work: Path
    notebook: Notebook | None = None
    verdict: LiveVerdict | None = None
    baked: tuple[GateResult, ...] = ()
    trouble: str = ""
    mine: int = 0
    head: Chained = field(default_factory=lambda: Chained(None))
    _steps: tuple[int, int, dict[int, float]] = (0, 0, {})
    _ages: dict[int, float] = field(default_factory=dict)
    _drift: tuple[float, int, dict[str, Any]] = (-math.inf, 0, {})
    _grown: float = -math.inf

    def look(self, *, again: bool = False, stay: bool = False, barred: str = "") -> Sight:
        """What there is to see now; arguments as of :class:`~.sight.Sight`."""
        self.head = self.desk.head(self.model, self.head.head if self.head.number else None)
        state = self._with_drift(self.head.state)
        test = LiveTest.of(state)
        sight = Sight(
            state, self.policy.live, self.policy.digest,
            mine=self.mine, again=again, stay=stay, barred=barred,
        )  # fmt: skip
        if test is None or test.over:
            return replace(sight, health=self._health(state))
        self.mine, book = test.test, self._book(test)
        if test.baking:
            return replace(sight, bake=self._bake(test, book), elapsed=self._since(_reign(state)))
        self._read(test, book)
        return replace(
            sight,
            verdict=self.verdict,
            trouble=self.trouble,
            seen=_seen(book.evidence, sight.traffic.step),
            silent=clock() - self._grown,
            health=self._health(state),
            elapsed=self._since(sight.traffic.step),
        )

    def _with_drift(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state, with champion and challenger as the registry has them: others may have moved them."""
        if state["open"]:
            return state
        asked, number, found = self._drift
        if clock() - asked > DRIFT_EVERY:
            found, number = self._registry(state), self.head.number
            if found and self.desk.head(self.model, self.head.head).number != number:
                return state  # a move that the ledger knows, between the two questions
            self._drift = (clock(), number, found)
        return {**state, **found} if number == self.head.number else state

    def _registry(self, state: dict[str, Any]) -> dict[str, Any]:
        """Champion and challenger, if they are others than the ledger says."""
        registry = self.desk.registry
        try:
            champion, challenger = registry.champion(self.model), registry.challenger(self.model)
        except MlflowctlError:  # the ledger goes on without it
            return {}
        found = {
            "champion": champion.version if champion else None,
            "challenger": challenger.version if challenger else None,
        }
        return {} if all(state[name] == value for name, value in found.items()) else found

    def _health(self, state: dict[str, Any]) -> Health:
        challenger = state["challenger"]
        return self.pulse.feel(challenger or 0, has_share=of_state(state).share > 0)

    def _book(self, test: LiveTest) -> Notebook:
        if self.notebook is None or self.notebook.test != test.test:
            self.notebook = notes.load(self.desk.objects, self.model, test.test)
            self.verdict, self._grown = None, -math.inf
        return self.notebook

    def steps(self, test: LiveTest) -> dict[int, float]:
        """Number of the ledger entry → share, of every step of the test so far."""
        first, seen, known = self._steps
        if first != test.test:
            first, seen, known = test.test, test.test, {}
        if self.head.number > seen:
            for one in self.desk.ledger(self.model).entries(seen + 1):
                seen = one.number
                entry = one.entry
                if entry and entry.kind == ledger_state.TRAFFIC and _counts(entry.body, test):
                    known[entry.number] = float(entry.body["share"])
        self._steps = (first, seen, known)
        return dict(known)

    def _read(self, test: LiveTest, book: Notebook) -> None:
        """Records and outcomes into evidence, and a verdict."""
        before, found = book.evidence, self._gather(test, book.evidence)
        if found.seen != (before.seen if before else (0, 0)):
            self._grown = clock()
        book.evidence = found
        self.verdict = judge(found, self.policy.live, self.policy.alpha) if sum(found.seen) else None
        problems = {one.problem for one in found.outcomes.values()} - {""}
        self.trouble = " ".join(sorted(problems))

    def _gather(self, test: LiveTest, before: Evidence | None) -> Evidence:
        return gather(
            self.desk.objects,
            self.model,
            self.steps(test),
            test.champion,
            test.challenger,
            before,
            self.policy.live,
            self.policy.folder,
            time.time(),
            work=self.work / str(test.test),
        )

    def _bake(self, test: LiveTest, book: Notebook) -> Harm:
        book.bake = book.bake or self._bake_anew(test, book)
        book.bake = book.bake.gather(self.desk.objects, self.model, test.challenger)
        found, self.baked = judge_bake(book.bake.before, book.bake.now, self.policy.live, self.policy.alpha)
        return found

    def _bake_anew(self, test: LiveTest, book: Notebook) -> Bake:
        """The noted evidence may be older than the pass: a controller was killed before it noted the rest.

        What had been read by then was written before the switch, so the new champion's records begin there.
        """
        noted = book.evidence
        book.evidence = self._gather(test, noted)
        return Bake.of(book.evidence, noted.cursor if noted else book.evidence.began)

    def _since(self, number: int) -> float:
        """Seconds since an entry was written, by the store's clock; this machine's may be wrong."""
        if number not in self._ages:
            stored = self.desk.objects.get(ledger.key(self.model, number)) if number else None
            if stored is None:
                return 0.0
            self._ages = {number: clock() - stored.age}
        return clock() - self._ages[number]


def _counts(body: dict[str, Any], test: LiveTest) -> bool:
    """Whether a share belongs to the test: the controller set it, for these versions, and clients saw it."""
    versions = body["champion"], body["challenger"]
    mine = versions == (test.champion, test.challenger) and body["by"] == "live"
    return bool(mine and body["mode"] == "split" and 0 < body["share"] < 1)


def _seen(evidence: Evidence | None, step: int) -> int:
    steps = evidence.steps if evidence else ()
    return sum(one.challenger.seen for one in steps if one.number == step)


def _reign(state: dict[str, Any]) -> int:
    """Number of the entry that made the champion what it is."""
    return next((one["number"] for one in state["reigns"] if one["version"] == state["champion"]), 0)
