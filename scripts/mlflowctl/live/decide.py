"""What the controller of a live test does next: a pure function of what it sees.

It remembers nothing. Whatever was killed at whatever moment, the ledger's state tells how far the test is: an
entry of kind ``live`` stands before its effect, except for an abort, where the effect must not wait.
"""

from __future__ import annotations

from mlflowctl.live import words
from mlflowctl.live.sight import Act, Action, Health, Sight
from mlflowctl.live.state import LiveTest
from mlflowctl.registry.requirements import named
from mlflowctl.registry.verdict import Verdict

SILENCE = 60.0  # seconds without a record, after which no higher share is given before the next one comes


def decide(sight: Sight) -> Action:
    """The next action.

    Args:
        sight: one look.
    """
    test = sight.test
    if test is None or test.over or sight.again:
        return _begin(sight, test)
    if test.baking:
        return _baking(sight, test)
    if sight.state["champion"] == test.challenger:
        return _switched(sight, test)
    return _others(sight, test) or _harmed(sight, test) or _onward(sight, test)


def _begin(sight: Sight, last: LiveTest | None) -> Action:
    """No test is under way: may one begin?"""
    state = sight.state
    champion, challenger = state["champion"], state["challenger"]
    known = last and (last.test == sight.mine or last.about(champion, challenger))
    if last and known and not sight.again:
        return Action(Act.END, words.ended(last), final=last.event)
    if challenger is None:
        return Action(Act.REFUSE, "there is no challenger")
    if champion is None:
        return Action(Act.REFUSE, "there is no champion to compare it with")
    if hold := _held(sight):
        return hold
    if sight.health in (Health.STARTING, Health.DEAD):
        return Action(Act.WAIT, f"v{challenger} does not answer yet")
    first = words.percent(sight.live.steps[0].share)
    return Action(Act.START, f"v{challenger} against v{champion}, beginning with {first}")


def _held(sight: Sight) -> Action | None:
    """What forbids every step forward, for anybody."""
    if frozen := sight.state["frozen"]:
        return Action(Act.WAIT, f"the model is frozen by {frozen['actor']['name']}: {frozen['reason']}")
    if left := sight.state["open"]:
        return Action(Act.WAIT, f"{left['actor']['name']} is about to {left['move']} v{left['version']}")
    return None


def _others(sight: Sight, test: LiveTest) -> Action | None:
    """What somebody else, or a controller that died, has done since the last entry."""
    state, traffic = sight.state, sight.traffic
    if state["champion"] != test.champion:
        return Action(
            Act.YIELD, f"the champion is {named(state['champion'])} by now, no longer v{test.champion}"
        )
    if state["challenger"] != test.challenger:
        now = named(state["challenger"])
        return Action(Act.YIELD, f"the challenger is {now} by now, no longer v{test.challenger}")
    if traffic.step == test.step:  # nobody has touched it since the entry
        return None
    if traffic.by != "live":
        return Action(Act.YIELD, words.taken(traffic))
    if traffic.why == "abort":
        return Action(Act.NOTE_ABORT, "the share was set to 0 and that was not recorded yet", test.index)
    return None


def _harmed(sight: Sight, test: LiveTest) -> Action | None:
    """What ends the test at once, in whichever step it is."""
    found = sight.verdict
    if found and found.abort:
        return Action(Act.ABORT, f"harm to {' and '.join(found.abort)}: {words.telling(found)}", test.index)
    if sight.health is Health.DEAD:
        return Action(Act.ABORT, f"the server of v{test.challenger} does not answer any more", test.index)
    if found and found.verdict is Verdict.FAIL:
        return Action(Act.ABORT, f"it cannot pass any more: {words.telling(found)}", test.index)
    return None


def _onward(sight: Sight, test: LiveTest) -> Action:
    """Nobody interfered and nothing is harmed: hold, go on, or pass."""
    if sight.policy != test.policy:
        return Action(Act.END, "the policy file was changed since the test began", final="policy")
    if hold := _held(sight):
        return hold
    if sight.traffic.step == test.step and test.event in ("started", "advanced"):
        return Action(Act.SHARE, words.announced(test), test.index)
    if hold := _unclear(sight, test):
        return hold
    step = sight.live.steps[test.index]
    left = 60 * step.minutes - max(sight.elapsed, 0.0)
    if left > 0:
        return Action(Act.WAIT, words.lasts(step, left), test.index, seconds=left)
    if test.index + 1 < len(sight.live.steps):
        if sight.silent > SILENCE:
            return Action(Act.WAIT, words.silent(sight.silent), test.index)
        share = words.percent(sight.live.steps[test.index + 1].share)
        return Action(Act.ADVANCE, f"{words.percent(step.share)} did no harm; next {share}", test.index + 1)
    found = sight.verdict
    if found is None or found.verdict is not Verdict.PASS:
        reason = f"undecided: {words.telling(found)}" if found else "there is no evidence yet"
        return Action(Act.WAIT, reason, test.index)
    return _passed(sight, test)


def _unclear(sight: Sight, test: LiveTest) -> Action | None:
    """Evidence that nothing may rest on, or none."""
    found = sight.verdict
    if found and found.mismatch.found:
        return Action(Act.WAIT, f"inconclusive: {found.reason}", test.index)
    if sight.trouble:
        return Action(Act.WAIT, f"the evidence is not whole: {sight.trouble}", test.index)
    if sight.health is Health.STARTING:
        return Action(Act.WAIT, f"the server of v{test.challenger} is starting", test.index)
    if sight.seen == 0 and test.event != "passed":
        return Action(Act.WAIT, f"no record of v{test.challenger} in this step yet", test.index)
    return None


def _passed(sight: Sight, test: LiveTest) -> Action:
    if test.event != "passed":
        return Action(Act.PASS, "every metric passes", test.index)
    if not sight.live.promote:
        if sight.stay:
            return Action(Act.WAIT, "passed; a person decides on the promotion", test.index)
        return Action(Act.END, words.ended(test), test.index, final="passed")
    if sight.barred:
        return Action(Act.WAIT, f"passed, and not promoted: {sight.barred}", test.index)
    return Action(Act.PROMOTE, "the live test passed", test.index)


def _switched(sight: Sight, test: LiveTest) -> Action:
    """The challenger is the champion."""
    if test.event != "passed":
        return Action(Act.YIELD, f"v{test.challenger} was promoted before the test had passed", test.index)
    if sight.live.bake_minutes <= 0:
        return Action(Act.BAKED, "the policy asks for no baking", test.index)
    return Action(Act.BAKE, f"for {sight.live.bake_minutes:g} minutes", test.index)


def _baking(sight: Sight, test: LiveTest) -> Action:
    """The new champion is watched."""
    state = sight.state
    if state["champion"] != test.challenger:
        back = state["rolled_back"]
        if back and (back["from"], back["to"]) == (test.challenger, state["champion"]):
            return Action(Act.NOTE_ROLLBACK, f"rolled back by {back['actor']['name']} at {back['at']}")
        return Action(
            Act.YIELD, f"the champion is {named(state['champion'])} by now, no longer v{test.challenger}"
        )
    if left := state["open"]:
        return Action(Act.WAIT, f"{left['actor']['name']} is about to {left['move']} v{left['version']}")
    bake = sight.bake
    if bake and bake.verdict is Verdict.FAIL:
        return Action(Act.ROLL_BACK, bake.reason)
    left_over = 60 * sight.live.bake_minutes - max(sight.elapsed, 0.0)
    if left_over > 0:
        return Action(Act.WAIT, f"baking, {words.duration(left_over)} to go", seconds=left_over)
    return Action(Act.BAKED, bake.reason if bake else "there are no records to compare")
