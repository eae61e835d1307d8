"""A world for the controller's decisions: the ledger's real fold, and effects that are cut off anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from mlflowctl.live.decide import decide
from mlflowctl.live.judge import LiveVerdict
from mlflowctl.live.mismatch import Mismatch
from mlflowctl.live.sight import Act, Action, Harm, Health, Sight
from mlflowctl.live.state import LiveTest
from mlflowctl.registry import ledger_state
from mlflowctl.registry.live_policy import Live, RampStep
from mlflowctl.registry.verdict import GateResult, Verdict
from mlflowctl.serving.traffic import of_state

RAMP = (RampStep(0.01, 10), RampStep(0.05, 60), RampStep(0.25, 120))
LIVE = Live(steps=RAMP, minimum=100, bake_minutes=30)
POLICY = "policy digest"
ADA = {"name": "ada", "kind": "os", "host": "here"}
LONG = 1e6  # seconds; every step is over


def verdict(kind: Verdict, *abort: str, mismatch: bool = False) -> LiveVerdict:
    shares = Mismatch(1e-9 if mismatch else 1.0, mismatch, 100.0, 50, 1000)
    result = GateResult(
        "error rate", "outcomes", "guardrail", "non-inferior", "lower", kind, "so it is.", "10 more records"
    )
    return LiveVerdict(kind, "so it is.", abort, (result,), shares)


PASS, FAIL, UNDECIDED = verdict(Verdict.PASS), verdict(Verdict.FAIL), verdict(Verdict.INCONCLUSIVE)
HARM = verdict(Verdict.FAIL, "error rate")
MISMATCH = verdict(Verdict.INCONCLUSIVE, mismatch=True)


@dataclass
class World:
    """A ledger, and what a controller would see of it."""

    live: Live = LIVE
    state: dict[str, Any] = field(default_factory=ledger_state.empty)
    number: int = 0
    log: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(
        default_factory=lambda: {"verdict": PASS, "seen": 100, "elapsed": LONG, "health": Health.READY}
    )

    def append(self, kind: str, **body: Any) -> None:
        self.number += 1
        self.state = ledger_state.fold(self.state, kind, self.number, "2026-11-27T12:00:00.000Z", ADA, body)

    # Others

    def stage(self, version: int) -> None:
        self._done("stage", version, "Staging")

    def promote(self, version: int) -> None:
        self.append(
            "done", move="promote", version=version, champion=self.state["champion"], stage="Production"
        )

    def roll_back(self) -> None:
        self._done("rollback", ledger_state.last_good(self.state, self.state["champion"]), "Production")

    def _done(self, move: str, version: int | None, stage: str) -> None:
        self.append("done", move=move, version=version, champion=self.state["champion"], stage=stage)

    def give(self, share: float, by: str = "person", why: str = "manual", mode: str = "split") -> None:
        self.append(
            "traffic", share=share, mode=mode, sticky=False, champion=self.state["champion"],
            challenger=self.state["challenger"], by=by, why=why,
        )  # fmt: skip

    # The controller

    def sight(self, **more: Any) -> Sight:
        return replace(Sight(self.state, self.live, POLICY), **{**self.seen, **more})

    def decide(self, **more: Any) -> Action:
        return decide(self.sight(**more))

    def effects(self, action: Action) -> list[tuple[str, Any]]:
        """What the action writes, one thing after the other; a kill may come after any of them."""
        act, index = action.act, action.index
        share = self.live.steps[index].share if index < len(self.live.steps) else 0
        note = {
            Act.START: "started", Act.ADVANCE: "advanced", Act.PASS: "passed", Act.NOTE_ABORT: "aborted",
            Act.BAKE: "baking", Act.BAKED: "baked", Act.NOTE_ROLLBACK: "rolled-back", Act.YIELD: "stopped",
        }  # fmt: skip
        if act is Act.SHARE:
            return [("share", (share, "ramp"))]
        if act is Act.ABORT:
            return [("share", (0.0, "abort"))]
        if act is Act.PROMOTE:
            return [("promote", None), ("note", "promoted")]
        if act is Act.ROLL_BACK:
            return [("roll back", None), ("note", "rolled-back")]
        return [("note", note[act])]

    def carry_out(self, action: Action, most: int = 99) -> int:
        """Write at most that many effects; how many there were to write."""
        effects = self.effects(action)
        for kind, what in effects[:most]:
            self.log.append(f"{what[0]:.0%}" if kind == "share" else kind if what is None else str(what))
            if kind == "share":
                self.give(what[0], by="live", why=what[1])
            elif kind == "promote":
                self.promote(self.state["challenger"])
            elif kind == "roll back":
                self.roll_back()
            else:
                self._note(what, action)
        return len(effects)

    def _note(self, event: str, action: Action) -> None:
        test = LiveTest.of(self.state) if event != "started" else None
        self.append(
            "live",
            event=event,
            test=test.test if test else 0,
            index=action.index if not test or event == "advanced" else test.index,
            step=of_state(self.state).step,
            champion=test.champion if test else self.state["champion"],
            challenger=test.challenger if test else self.state["challenger"],
            policy=test.policy if test else POLICY,
            reason=action.reason,
        )

    def run(self, looks: int = 50, **more: Any) -> Action:
        """Until there is nothing to do but wait, or the end."""
        for _ in range(looks):
            action = self.decide(**more)
            if action.act in (Act.WAIT, Act.END, Act.REFUSE):
                return action
            self.carry_out(action)
        raise AssertionError(f"it never rests: {self.log}")


def staged(live: Live = LIVE) -> World:
    """A champion v1, and a challenger v2."""
    world = World(live)
    world.promote(1)
    world.stage(2)
    return world


def at_step(index: int, live: Live = LIVE) -> World:
    """The test has this step's share, and its time is not over."""
    world = staged(live)
    while world.run(elapsed=0.0) and (world.state["live"]["index"]) < index:
        world.carry_out(world.decide(elapsed=LONG))
    return world


def passed(live: Live = LIVE) -> World:
    world = staged(live)
    while world.state["live"] is None or world.state["live"]["event"] != "passed":
        world.carry_out(world.decide())
    return world


HARMED_BAKE = Harm(Verdict.FAIL, "error rate: 5 after 1")
QUIET_BAKE = Harm(Verdict.PASS, "no guardrail is worse")
