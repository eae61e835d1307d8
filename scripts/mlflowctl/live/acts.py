"""Carrying out what was decided: every change rests on the very ledger that the decision was made on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflowctl.errors import ConflictError, MlflowctlError, UnavailableError
from mlflowctl.live import notebook as notes
from mlflowctl.live.evidence import beginning
from mlflowctl.live.journal import MovedOnError, write
from mlflowctl.live.notebook import Notebook
from mlflowctl.live.sight import Act, Action, Sight
from mlflowctl.live.state import LiveTest
from mlflowctl.live.watch import Watch
from mlflowctl.registry import ledger_state, promotion, rollback
from mlflowctl.registry.rollback import NothingToDo
from mlflowctl.serving.traffic import of_state, set_share

EVENT = {
    Act.START: "started",
    Act.ADVANCE: "advanced",
    Act.PASS: "passed",
    Act.NOTE_ABORT: "aborted",
    Act.BAKE: "baking",
    Act.BAKED: "baked",
    Act.NOTE_ROLLBACK: "rolled-back",
    Act.YIELD: "stopped",
}
PROMPT = 4.0  # seconds for MLflow's server when harm must end
LEASE_WAIT = 5.0  # seconds for another command on the model; then the next look tries again


@dataclass
class Hands:
    """Executes actions.

    Attributes:
        watch: that made the looks.
        barred: why a promotion was refused; "" if none was.
        trouble: why the last action could not be carried out.
    """

    watch: Watch
    barred: str = ""
    trouble: str = ""

    def carry_out(self, action: Action, sight: Sight) -> bool:
        """Do it.

        Returns:
            Whether something was changed, so that it is time for another look.

        Raises:
            MovedOnError: the ledger has moved on since the look.
        """
        self.trouble = ""
        doers: dict[Act, Callable[[Action, Sight], bool]] = {
            Act.START: self._start,
            Act.SHARE: self._share,
            Act.ABORT: self._abort,
            Act.NOTE_ABORT: self._note_abort,
            Act.PROMOTE: self._promote,
            Act.ROLL_BACK: self._roll_back,
        }
        return doers.get(action.act, self._note)(action, sight)

    def _note(self, action: Action, sight: Sight) -> bool:
        write(self.watch, EVENT[action.act], action, sight)
        return True

    def _start(self, action: Action, sight: Sight) -> bool:
        """The records begin where they end now: what was served before is of no interest."""
        watch, state = self.watch, sight.state
        evidence = beginning(watch.desk.objects, watch.model, state["champion"], state["challenger"])
        _, etag = notes.raw(watch.desk.objects, watch.model)
        watch.notebook, watch.verdict = Notebook(0, evidence, etag=etag), None
        entry = write(watch, "started", action, sight)
        watch.notebook.test = entry.number
        notes.save(watch.desk.objects, watch.model, watch.notebook)
        return True

    def _share(self, action: Action, sight: Sight) -> bool:
        live = sight.live
        test = _test(sight)
        share = live.steps[action.index].share
        try:
            set_share(
                self.watch.desk,
                self.watch.model,
                share,
                reason=f"live test {test.test}: {action.reason}",
                by="live",
                why="ramp",
                sticky=live.sticky,
                expect_step=sight.traffic.step,
            )
        except ConflictError as exc:
            raise _moved_on(exc) from None
        return True

    def _abort(self, action: Action, sight: Sight) -> bool:
        """Effect before journal: whoever finds the share at 0 and nothing noted, notes it."""
        test = _test(sight)
        reason = f"live test {test.test}: {action.reason}"
        desk, model, step = self.watch.desk, self.watch.model, sight.traffic.step

        def end() -> None:
            set_share(desk, model, 0.0, reason=reason, by="live", why="abort", expect_step=step)

        try:
            _within(PROMPT, end)
        except ConflictError as exc:
            raise _moved_on(exc) from None
        except (UnavailableError, TimeoutError):
            self._abort_by_the_ledger(test, reason, sight)
        return True  # the next look notes it

    def _abort_by_the_ledger(self, test: LiveTest, reason: str, sight: Sight) -> None:
        """MLflow's server does not answer; the gateways follow the ledger, which does."""
        watch, step = self.watch, sight.traffic.step

        def same(state: dict[str, Any]) -> None:
            if of_state(state).step != step:
                raise MovedOnError("The share was changed meanwhile.")

        body = {
            "share": 0.0, "mode": "split", "sticky": False, "champion": test.champion,
            "challenger": test.challenger, "by": "live", "why": "abort",
        }  # fmt: skip
        watch.desk.ledger(watch.model).append(
            ledger_state.TRAFFIC, watch.desk.actor, reason, body, after=watch.head, check=same
        )

    def _note_abort(self, action: Action, sight: Sight) -> bool:
        """The reason stands in the entry that set the share."""
        entry = self.watch.desk.ledger(self.watch.model).read(sight.traffic.step).entry
        reason = entry.reason if entry else action.reason
        prefix = f"live test {_test(sight).test}: "
        write(self.watch, "aborted", Action(action.act, reason.removeprefix(prefix), action.index), sight)
        return True

    def _promote(self, action: Action, sight: Sight) -> bool:
        """As ``model promote`` does; whatever refuses it is told and asked again later."""
        watch, test = self.watch, _test(sight)
        try:
            plan = promotion.make_plan(watch.desk, watch.model, watch.policy)
            if (plan.move.champion, plan.move.version) != (test.champion, test.challenger):
                raise MovedOnError("Champion or challenger changed meanwhile.")
            promotion.execute(watch.desk, plan, f"live test {test.test}: {action.reason}", wait=LEASE_WAIT)
        except MovedOnError:
            raise
        except MlflowctlError as exc:
            self.barred = self.trouble = exc.what
            return False
        head = watch.desk.head(watch.model, watch.head.head)
        after = Sight(head.state, sight.live, sight.policy)
        write(self.watch, "promoted", action, after, facts=sight)
        return True

    def _roll_back(self, action: Action, sight: Sight) -> bool:
        """As ``model rollback`` does, without loading the predecessor first: it served a moment ago."""
        watch, test = self.watch, _test(sight)
        try:
            move = rollback.plan_settled(watch.desk, watch.model, test.challenger, wait=LEASE_WAIT)
            if isinstance(move, NothingToDo):
                return True  # the next look notes it
            rollback.check_target(watch.desk, move, load=False, accept_unloadable=False)
            reason = f"live test {test.test}, baking: {action.reason}"
            rollback.execute(watch.desk, move, reason, wait=LEASE_WAIT)
        except MlflowctlError as exc:
            self.trouble = f"the rollback failed: {exc.what} {exc.next}".strip()
            return False
        head = watch.desk.head(watch.model, watch.head.head)
        write(self.watch, "rolled-back", action, Sight(head.state, sight.live, sight.policy), facts=sight)
        return True


def _within(seconds: float, call: Callable[[], object]) -> None:
    """Call it, and wait no longer than that.

    Raises:
        TimeoutError: it goes on in the background; what it would write rests on a step that is over by then.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as exc:
            raised.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]


def _test(sight: Sight) -> LiveTest:
    test = sight.test
    assert test is not None
    return test


def _moved_on(exc: ConflictError) -> MovedOnError:
    return MovedOnError(exc.what, state=exc.state, next=exc.next)
