"""What must hold after every step and at the end, whatever happened in between."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, invariant
from lifecycle_faults import leases_run_out
from lifecycle_world import Life, World

from mlflowctl.plan import pending
from mlflowctl.registry import audit, reconcile, report
from mlflowctl.registry.port import Version


class Promises(RuleBasedStateMachine):
    """A machine that holds every step against the promises of docs/promotion.md."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(self.world)
        self.had_champion = False

    @invariant()
    def everything_holds(self) -> None:
        self.world.counts["steps"] += 1
        versions, champion, challenger = self.life.seen()
        self.life.chronicle.read_on(self.world.desks[0].ledger(self.life.model))
        self._one_champion(versions, champion)
        self._journaled_before_effect(champion, challenger)

    def _one_champion(self, versions: list[Version], champion: Version | None) -> None:
        """At most one; exactly one once there was one and nobody retired the model; the alias is on it."""
        serving = [one.version for one in versions if one.stage == "Production"]
        assert len(serving) <= 1, serving
        assert serving == ([champion.version] if champion else []), (serving, champion)
        self.had_champion |= bool(serving)
        if self.had_champion and not serving:
            left = self.life.chronicle.open
            retiring = left is not None and left.body["move"] == "retire"
            assert self.life.chronicle.last.state["retired"] or retiring, "no champion, but nobody retired it"

    def _journaled_before_effect(self, champion: Version | None, challenger: Version | None) -> None:
        """Unless others interfered, the registry shows what the ledger says, or what an intent announces."""
        state, left = self.life.chronicle.last.state, self.life.chronicle.open
        now = (champion.version if champion else None, challenger.version if challenger else None)
        said = (state["champion"], state["challenger"])
        if now == said and not left and not self.world.network.late:
            self.life.drifted = False
        if self.life.drifted or now == said:
            return
        assert left is not None, f"(champion, challenger) is {now}, the ledger says {said}; no move is open"
        assert announced(left.body, *said) == now, (left.body, said, now)

    def teardown(self) -> None:
        """Whatever happened: one reconcile, and everything is in order."""
        if not self.life.versions:
            return
        network, desk, model = self.world.network, self.world.desks[0], self.life.model
        network.arrive()
        network.reset()
        with leases_run_out():
            reconcile.execute(desk, model, "registry", "the end", wait=0)
        self.life.drifted = False
        self.everything_holds()
        assert pending(reconcile.plan(desk, model)) == []
        found = audit.audit(desk, model)
        assert found.findings == [], found.findings
        assert found.entries == self.life.chronicle.last.number
        assert not [one for one in report.status(desk, model)["remarks"] if "unfinished" in one]
        self.world.counts.update({"examples": 1, "entries": found.entries})
        self.world.counts.update({f"entry: {kind}": n for kind, n in self.life.chronicle.kinds.items()})


def announced(body: dict[str, Any], champion: int | None, challenger: int | None) -> tuple[int | None, ...]:
    """Champion and challenger once an announced move has happened."""
    version: int = body["version"]
    if challenger == version:
        challenger = None
    if body["stage"] == "Production":
        return version, challenger
    if body["stage"] == "Staging":
        return champion, version
    return None if body["move"] == "retire" else champion, challenger
