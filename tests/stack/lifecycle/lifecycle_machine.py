"""Everything that can happen to one model, in any order.

The weights make the rare things happen: a model that never had two champions cannot be rolled back.
"""

from __future__ import annotations

from typing import Any

import lifecycle_commands as commands
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from lifecycle_commands import POLICIES
from lifecycle_faults import KINDS, Fault
from lifecycle_promises import Promises

from mlflowctl.registry import promotion, reconcile, rollback
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.moves import Move
from mlflowctl.registry.port import STAGES
from mlflowctl.registry.registration import register
from mlflowctl.registry.verdict import Verdict

MOST_VERSIONS = 6
SOURCE = "s3://mlflow-artifacts/lifecycle/stub-model"
PLACES = st.one_of(st.integers(1, 26), st.sampled_from(["switch", "after"]))
FAULT = st.builds(Fault, st.sampled_from([*KINDS, "overtaken"]), PLACES)
FAULTS = st.one_of(st.none(), FAULT)
OTHERS = st.sampled_from(["rollback", "promote", "reconcile", "freeze", "retire", "break glass"])
VERDICTS = st.sampled_from([Verdict.PASS] * 4 + [Verdict.FAIL, Verdict.INCONCLUSIVE])
POLICY = st.sampled_from(["a"] * 5 + ["b"])
SELDOM = st.sampled_from([False, False, False, True])
FOREIGN = st.sampled_from([*STAGES, "Production", "Staging", "deleted"])
ACTIONS = {
    "register": 2, "stage": 4, "validate": 3, "validate_unstaged": 1, "plan": 6, "apply": 7, "promote": 3,
    "stage_validate_promote": 7, "rollback": 7, "plan_rollback": 4, "slow_rollback": 5, "break_glass": 4,
    "archive": 2, "retire": 1, "freeze": 2, "reconcile": 6, "break_lease": 2, "foreign": 5, "again": 5,
    "flip_flop": 2, "interfere": 3, "freeze_in_between": 2,
}  # fmt: skip


class Lifecycle(Promises):
    """One model and its life."""

    @initialize(versions=st.integers(2, 4), reigns=st.sampled_from([2, 2, 2, 1, 0]))
    def begin(self, versions: int, reigns: int) -> None:
        """A model with some versions, of which some were champion."""
        for _ in range(versions):
            self.register(fault=None, other="")
        for number in range(1, reigns + 1):
            self._stage(number, None)
            self._judge(Verdict.PASS, None, "a")
            self._promote(False)

    @rule(
        data=st.data(),
        action=st.sampled_from([name for name, weight in ACTIONS.items() for _ in range(weight)]),
    )
    def step(self, data: st.DataObject, action: str) -> None:
        """One command, or one act of somebody else."""
        getattr(self, action)(**self._drawn(data, action))

    def _drawn(self, data: st.DataObject, action: str) -> dict[str, Any]:
        """What the action wants to know; every command may meet a fault and be overtaken by another one."""
        version = st.integers(1, max(1, self.life.versions))
        known: dict[str, st.SearchStrategy[Any]] = {
            "version": version,
            "expect": st.sampled_from([None] * 8 + list(range(1, self.life.versions + 1))),
            "replace": st.sampled_from(["", "", "right", "wrong"]),
            "verdict": VERDICTS,
            "policy": POLICY,
            "override": SELDOM,
            "frozen": SELDOM,
            "which": st.integers(1, 3),
            "look": st.booleans(),
            "ready": st.sampled_from([True, True, True, False]),
            "then": st.sampled_from(["", "again", "further"]),
            "prefer": st.sampled_from(["registry", "registry", "ledger"]),
            "to": FOREIGN,
            "fault": FAULTS,
            "patient": st.booleans(),
            "other": OTHERS,
        }
        wanted = getattr(self, action).__annotations__
        found = {name: data.draw(known[name], name) for name in known if name in wanted and name != "other"}
        if "other" in wanted:
            overtaken = found["fault"] is not None and found["fault"].kind == "overtaken"
            found["other"] = data.draw(OTHERS, "other") if overtaken else ""
        return found

    # -- the commands -------------------------------------------------------------------------------------

    def register(self, fault: Fault | None, other: str) -> None:
        if self.life.versions >= MOST_VERSIONS:
            return

        def command(desk: Desk) -> str:
            register(desk, self.life.model, SOURCE, "stub")
            return "done"

        said = self.life.run("register", command, fault, other=other)
        if self.life.versions or said == "done":
            found = self.world.desks[0].registry.versions(self.life.model)
            self.life.versions = max([self.life.versions, *(one.version for one in found)])

    def stage(self, version: int, replace: str, fault: Fault | None, patient: bool, other: str) -> None:
        present = self.world.desks[0].registry.challenger(self.life.model)
        pushed = (present.version if present else 1) + (replace == "wrong") if replace else None
        self._stage(version, pushed, fault=fault, patient=patient, other=other)

    def _stage(self, version: int, replace: int | None, **more: Any) -> str:
        model = self.life.model
        return self.life.run("stage", lambda desk: commands.stage(desk, model, version, replace), **more)

    def validate(self, verdict: Verdict, policy: str, fault: Fault | None, other: str) -> None:
        self._judge(verdict, None, policy, fault=fault, other=other)

    def validate_unstaged(self, version: int, fault: Fault | None, other: str) -> None:
        self._judge(Verdict.PASS, version, "a", fault=fault, other=other)

    def _judge(self, verdict: Verdict, version: int | None, policy: str, **more: Any) -> str:
        model, rules = self.life.model, POLICIES[policy]
        return self.life.run(
            "validate", lambda desk: commands.stub_gate(desk, model, version, verdict, rules), **more
        )

    def plan(self, version: int, override: bool, policy: str, ready: bool) -> None:
        if ready:
            self._make_ready(version)

        def command(desk: Desk) -> str:
            made = promotion.make_plan(desk, self.life.model, POLICIES[policy], override=override)
            self.life.plans.append(commands.saved(made))
            return "done"

        self.life.run("plan", command)

    def apply(self, which: int, look: bool, fault: Fault | None, patient: bool, other: str) -> None:
        for plan in self.life.plans[-which:][:1]:

            def command(desk: Desk, plan: promotion.Plan = plan) -> str:
                return commands.apply(desk, plan, POLICIES["a"], look_first=look)

            self.life.run("apply" if look else "apply without a look", command, fault, patient, other)

    def promote(self, override: bool, fault: Fault | None, patient: bool, other: str) -> None:
        self._promote(override, fault=fault, patient=patient, other=other)

    def _promote(self, override: bool, **more: Any) -> str:
        model = self.life.model
        return self.life.run(
            "promote", lambda desk: commands.promote(desk, model, POLICIES["a"], override), **more
        )

    def stage_validate_promote(self, version: int, fault: Fault | None, other: str) -> None:
        """What people do most."""
        self._make_ready(version)
        self._promote(False, fault=fault, other=other)

    def _make_ready(self, version: int) -> None:
        _, champion, present = self.life.seen()
        if champion and champion.version == version:
            version = version % self.life.versions + 1
        if present is None or present.version != version:
            self._stage(version, present.version if present else None)
        self._judge(Verdict.PASS, None, "a")

    def rollback(self, expect: int | None, then: str, fault: Fault | None, patient: bool, other: str) -> None:
        def command(desk: Desk) -> str:
            return commands.roll_back(desk, self.life.model, expect)

        said = self.life.run("rollback", command, fault, patient, other)
        if said == "done" and then and not fault:
            again = self.life.run("rollback again", command)
            assert again == "nothing to do", again
        if said == "done" and then == "further":
            _, champion, _ = self.life.seen()
            serving = champion.version if champion else None
            self.life.run("rollback further", lambda desk: commands.roll_back(desk, self.life.model, serving))

    def again(self, which: int, look: bool, fault: Fault | None, patient: bool, other: str) -> None:
        """Promoted, rolled back, staged once more by whomever: the plan of then must not count again."""
        if self.life.plans:
            version = self.life.plans[-which:][0].move.version
            self.rollback(None, "", None, True, "")
            self.foreign(version, "Staging")
            self.apply(which, look, fault, patient, other)

    def plan_rollback(self, expect: int | None) -> None:
        def command(desk: Desk) -> str:
            move = rollback.plan(desk, self.life.model, expect)
            if isinstance(move, rollback.NothingToDo):
                return "nothing to do"
            self.life.rollbacks.append(move)
            return "done"

        self.life.run("plan rollback", command)

    def slow_rollback(self, which: int, fault: Fault | None, patient: bool, other: str) -> None:
        """An engineer whose checks took long, while others went on."""
        for move in self.life.rollbacks[-which:][:1]:

            def command(desk: Desk, move: Move = move) -> str:
                return commands.roll_back_by(desk, move)

            self.life.run("slow rollback", command, fault, patient, other)

    def break_glass(self, version: int, ready: bool, then: str, fault: Fault | None, other: str) -> None:
        if ready:  # a promotion that turns out to be bad while the object store is down
            self._make_ready(version)
            self._promote(False)
            self.everything_holds()
        in_order = not self.life.drifted and self.life.chronicle.open is None
        said = self.life.run("break glass", lambda desk: self.life.glass(desk, None), fault, other=other)
        if said == "done" and then and not fault and in_order:
            model = self.life.model
            again = self.life.run("rollback after glass", lambda desk: commands.roll_back(desk, model, None))
            assert again == "nothing to do", again

    def archive(self, version: int, fault: Fault | None, patient: bool, other: str) -> None:
        model = self.life.model
        self.life.run("archive", lambda desk: commands.archive(desk, model, version), fault, patient, other)

    def retire(self, fault: Fault | None, patient: bool, other: str) -> None:
        self.life.run("retire", lambda desk: commands.retire(desk, self.life.model), fault, patient, other)

    def freeze_in_between(self, version: int, look: bool, fault: Fault | None, other: str) -> None:
        """The plan was made, then the model frozen."""
        self.plan(version, False, "a", True)
        self.freeze(True, None, True, "")
        self.apply(1, look, fault, True, other)
        self.freeze(False, None, True, "")

    def freeze(self, frozen: bool, fault: Fault | None, patient: bool, other: str) -> None:
        model = self.life.model
        self.life.run("freeze", lambda desk: commands.freeze(desk, model, frozen), fault, patient, other)

    def reconcile(self, prefer: reconcile.Prefer, fault: Fault | None, patient: bool, other: str) -> None:
        model = self.life.model
        self.life.run("reconcile", lambda desk: commands.mend(desk, model, prefer), fault, patient, other)

    def break_lease(self) -> None:
        """Somebody made sure that the holder is dead; so nothing of it is on its way."""
        if not self.life.lease_left:
            return

        def command(desk: Desk) -> str:
            reconcile.break_lease(desk, self.life.model, "its machine is gone")
            return "done"

        self.world.network.arrive()
        self.life.lease_left = False
        self.life.run("break lease", command)

    def interfere(self, version: int, to: str) -> None:
        """Others lay hands on the very version that a dead command was moving."""
        if not self.life.chronicle.open:
            _, _, present = self.life.seen()
            dead = Fault("dies before", "switch")
            self._stage(version, present.version if present else None, fault=dead)
            self.everything_holds()
        left = self.life.chronicle.open
        if left:
            self.foreign(left.body["version"], to)
            self.foreign(left.body["version"], "deleted")

    def flip_flop(self, version: int) -> None:
        """Others switch, and switch back: afterwards only the database's history knows."""
        _, champion, _ = self.life.seen()
        if champion:
            self.foreign(version, "Production")
            self.foreign(champion.version, "Production")

    def foreign(self, version: int, to: str) -> None:
        body: dict[str, object] = {"name": self.life.model, "version": str(version)}
        if to == "deleted":
            self.life.foreign("foreign delete", "model-versions/delete", body, method="DELETE")
        else:
            body |= {"stage": to, "archive_existing_versions": to in ("Staging", "Production")}
            self.life.foreign(f"foreign to {to}", "model-versions/transition-stage", body)
