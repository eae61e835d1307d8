"""What the controller decides, at every moment at which it, or somebody else, may have written something."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.live import decisions as d

from mlflowctl.live.decide import SILENCE
from mlflowctl.live.sight import Act, Health
from mlflowctl.registry.live_policy import Live, RampStep

PROMOTING = replace(d.LIVE, promote=True)
WHOLE = ["started", "1%", "advanced", "5%", "advanced", "25%", "passed"]


def test_the_whole_ramp_in_order():
    world = d.staged()
    end = world.run()
    assert world.log == WHOLE
    assert (end.act, end.final) == (Act.END, "passed")


def test_promotion_and_baking_follow_if_the_policy_says_so():
    world = d.staged(PROMOTING)
    end = world.run(bake=d.QUIET_BAKE)
    assert world.log == [*WHOLE, "promote", "promoted", "baked"]
    assert (end.act, end.final) == (Act.END, "baked")


SCENES = {
    "passes": ({}, "passed", WHOLE, d.LIVE),
    "promotes": ({"bake": d.QUIET_BAKE}, "baked", [*WHOLE, "promote"], PROMOTING),
    "bakes badly": ({"bake": d.HARMED_BAKE}, "rolled-back", [*WHOLE, "promote", "roll back"], PROMOTING),
    "harms": ({"verdict": d.HARM}, "aborted", ["started", "0%", "aborted"], d.LIVE),
    "cannot pass": ({"verdict": d.FAIL}, "aborted", ["started", "0%", "aborted"], d.LIVE),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("dies_every", [1, 2, 3])
def test_killed_after_any_effect_it_ends_the_same(scene, dies_every):
    """Nothing is remembered but the ledger; every kill leaves the effects that were written so far."""
    seen, final, wanted, live = SCENES[scene]
    world, budget = d.staged(live), dies_every
    for _ in range(200):
        action = world.decide(**seen)
        if action.act is Act.END:
            break
        assert action.act not in (Act.WAIT, Act.REFUSE, Act.YIELD), action
        before = len(world.log)
        world.carry_out(action, budget)
        budget -= len(world.log) - before
        if budget <= 0:
            budget = dies_every  # the next controller
    assert action.final == final
    moves = [one for one in world.log if one not in ("promoted", "baking", "baked", "rolled-back")]
    assert moves == wanted, "each effect once, in order"


def test_a_dead_one_that_had_announced_a_step_is_finished_but_not_while_harm_shows():
    world = d.at_step(0)
    world.carry_out(world.decide(elapsed=d.LONG))  # "advanced" stands, the share is still 1 %
    assert world.decide().act is Act.SHARE
    assert world.decide(verdict=d.HARM).act is Act.ABORT
    assert world.decide(health=Health.DEAD).act is Act.ABORT
    world.append("frozen", reason="no")
    assert world.decide().act is Act.WAIT


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize(
    ("seen", "word"),
    [({"verdict": d.HARM}, "harm to error rate"), ({"verdict": d.FAIL}, "cannot pass"),
     ({"health": Health.DEAD}, "does not answer any more")],
)  # fmt: skip
def test_harm_aborts_at_once_in_every_step_whatever_else_holds(index, seen, word):
    world = d.at_step(index)
    for more in ({"elapsed": 0.0}, {"elapsed": -5.0}, {"seen": 0}, {"silent": 1e9}, {"trouble": "x"}):
        action = world.decide(**{**seen, **more})
        assert action.act is Act.ABORT
        assert word in action.reason
    world.append("frozen", reason="no")
    assert world.decide(**seen).act is Act.ABORT


def test_harm_aborts_also_after_the_pass_while_a_person_is_awaited():
    world = d.passed()
    assert world.decide(verdict=d.HARM, stay=True).act is Act.ABORT
    assert world.decide(verdict=d.HARM).act is Act.ABORT


def test_evidence_that_is_refused_holds_and_never_aborts():
    for index in (0, 1, 2):
        world = d.at_step(index)
        action = world.decide(verdict=d.MISMATCH)
        assert action.act is Act.WAIT
        assert "inconclusive" in action.reason
    assert d.passed(PROMOTING).decide(verdict=d.MISMATCH).act is Act.WAIT


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"elapsed": 0.0}, "to go"),
        ({"elapsed": 599.0}, "to go"),
        ({"elapsed": -3600.0}, "10 min to go"),  # the clock was put back
        ({"seen": 0}, "no record of v2"),
        ({"silent": SILENCE + 1}, "no gateway has shipped a record for"),
        ({"silent": float("inf")}, "since this controller began"),
        ({"trouble": "outcomes.csv is gone."}, "outcomes.csv is gone."),
        ({"health": Health.STARTING}, "is starting"),
    ],
)
def test_what_holds_the_ramp(more, word):
    action = d.at_step(0).decide(**more)
    assert action.act is Act.WAIT
    assert word in action.reason


@pytest.mark.parametrize("more", [{"health": Health.UNKNOWN}, {"verdict": d.UNDECIDED}, {"verdict": None}])
def test_what_does_not_hold_the_ramp(more):
    assert d.at_step(0).decide(**more).act is Act.ADVANCE


def test_the_last_step_waits_for_the_verdict():
    world = d.at_step(2)
    undecided = world.decide(verdict=d.UNDECIDED)
    assert undecided.act is Act.WAIT
    assert "10 more records" in undecided.reason
    assert world.decide(verdict=None).act is Act.WAIT
    assert world.decide(elapsed=119 * 60.0).act is Act.WAIT, "its time is not over, however good it looks"
    assert world.decide(silent=float("inf")).act is Act.PASS, "what was seen is enough"


def test_seconds_tell_when_the_next_look_would_decide_otherwise():
    assert d.at_step(1).decide(elapsed=60.0).seconds == 59 * 60.0
    assert d.at_step(2).decide(verdict=d.UNDECIDED).seconds is None


# Somebody else


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("share", [0.0, 0.03, 0.5])
def test_a_person_who_sets_the_share_is_yielded_to(index, share):
    world = d.at_step(index)
    world.give(share)
    action = world.decide(verdict=d.HARM)
    assert action.act is Act.YIELD
    assert "a person set the share" in action.reason
    world.carry_out(action)
    last = world.decide()
    assert (last.act, last.final) == (Act.END, "stopped")
    assert world.decide(again=True).act is Act.START


def test_a_person_between_the_announcement_and_the_share_is_yielded_to():
    world = d.at_step(0)
    world.carry_out(world.decide())
    world.give(0.02)
    assert world.decide().act is Act.YIELD
    world = d.passed(PROMOTING)
    world.give(0.1)
    assert world.decide().act is Act.YIELD


def test_the_share_of_a_shadow_is_a_persons_too():
    world = d.at_step(0)
    world.give(0.5, mode="shadow")
    assert "as a shadow" in world.decide().reason


@pytest.mark.parametrize("make", [lambda: d.at_step(0), lambda: d.at_step(2), d.passed])
def test_another_challenger_or_champion_ends_the_test(make):
    world = make()
    world.stage(3)
    action = world.decide(verdict=d.HARM)
    assert (action.act, "v3 by now" in action.reason) == (Act.YIELD, True)
    world.carry_out(action)
    assert world.decide(mine=world.state["live"]["test"]).final == "stopped", "this controller is done"
    assert world.decide().act is Act.START, "the next one may test v3"

    world = make()
    world.append("done", move="archive", version=2, champion=1, stage="Archived")
    assert "the challenger is none by now" in world.decide().reason

    world = make()
    world.append("observed", champion=7, challenger=2, by="reconcile")
    assert "the champion is v7 by now" in world.decide().reason


def test_the_challenger_staged_anew_lost_its_share_to_a_person():
    world = d.at_step(1)
    world.append("done", move="archive", version=2, champion=1, stage="Archived")
    world.stage(2)
    action = world.decide()
    assert (action.act, "taken back" in action.reason) == (Act.YIELD, True)


def test_a_promotion_before_the_pass_ends_the_test_and_is_not_undone():
    world = d.at_step(1)
    world.promote(2)
    action = world.decide(bake=d.HARMED_BAKE)
    assert (action.act, "before the test had passed" in action.reason) == (Act.YIELD, True)
    world.carry_out(action)
    assert world.decide(mine=world.state["live"]["test"]).final == "stopped"
    assert world.decide().act is Act.REFUSE


def test_a_persons_promotion_after_the_pass_is_baked():
    world = d.passed()
    world.promote(2)
    assert world.decide().act is Act.BAKE
    assert world.run(bake=d.QUIET_BAKE).final == "baked"
    assert world.log[-2:] == ["baking", "baked"]

    world = d.passed(replace(d.LIVE, bake_minutes=0))
    world.promote(2)
    assert world.run().final == "baked"
    assert world.log[-1] == "baked"


def test_somebodys_open_move_is_waited_for():
    world = d.at_step(0)
    world.append("intent", move="promote", version=2, champion=1, challenger=2, stage="Production", tags=[])
    action = world.decide()
    assert (action.act, "ada is about to promote v2" in action.reason) == (Act.WAIT, True)
    assert world.decide(verdict=d.HARM).act is Act.ABORT


def test_a_frozen_model_is_held_everywhere():
    for world in (d.staged(), d.at_step(0), d.at_step(2), d.passed(PROMOTING)):
        world.append("frozen", reason="the release")
        action = world.decide()
        assert (action.act, "the release" in action.reason) == (Act.WAIT, True)
        world.append("unfrozen")
        assert world.decide().act is not Act.WAIT


def test_a_policy_that_was_changed_ends_it_but_harm_comes_first():
    world = d.at_step(1)
    assert world.decide(policy="another").final == "policy"
    assert world.decide(policy="another", verdict=d.HARM).act is Act.ABORT
    assert world.decide(policy="another", again=True).act is Act.START
    world.carry_out(world.decide())
    world.live = Live(steps=(RampStep(0.1),))  # the announced step is not there any more
    assert world.decide(policy="another").final == "policy"


# The beginning and the end


def test_what_no_test_can_begin_with():
    world = d.World()
    assert "no challenger" in world.decide().reason
    world.stage(1)
    assert "no champion" in world.decide().reason
    assert world.decide().act is Act.REFUSE
    for health in (Health.STARTING, Health.DEAD):
        assert d.staged().decide(health=health).act is Act.WAIT
    assert d.staged().decide(health=Health.UNKNOWN).act is Act.START


def test_a_persons_share_from_before_is_taken_over_by_who_starts_a_test():
    world = d.staged()
    world.give(0.4)
    world.run(elapsed=0.0)
    assert world.log == ["started", "1%"]


@pytest.mark.parametrize("scene", ["harms", "bakes badly", "promotes"])
def test_what_is_over_stays_over_until_the_versions_change_or_a_person_says_again(scene):
    seen, final, _, live = SCENES[scene]
    world = d.staged(live)
    assert world.run(**seen).final == final
    said = len(world.log)
    for _ in range(3):
        assert world.run(verdict=d.PASS).final == final
    assert len(world.log) == said
    world.stage(9)
    assert world.decide().act is Act.START
    if final == "aborted":
        world = d.staged(live)
        world.run(**seen)
        assert world.decide(again=True).act is Act.START
