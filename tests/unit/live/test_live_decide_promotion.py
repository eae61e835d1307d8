"""What a controller decides after the pass: promotion, baking, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.live import decisions as d

from mlflowctl.live.sight import Act
from mlflowctl.registry.verdict import Verdict

PROMOTING = replace(d.LIVE, promote=True)
WHOLE = ["started", "1%", "advanced", "5%", "advanced", "25%", "passed"]


def test_never_promoted_unless_the_policy_says_so():
    for live in (d.LIVE, replace(d.LIVE, promote=False)):
        world = d.passed(live)
        for more in ({}, {"stay": True}, {"barred": ""}):
            assert world.decide(**more).act is not Act.PROMOTE
    world = d.passed(PROMOTING)
    assert world.decide(verdict=d.UNDECIDED).act is Act.WAIT, "it no longer passes"
    assert world.decide(barred="it lacks 1 approval").act is Act.WAIT
    assert "1 approval" in world.decide(barred="it lacks 1 approval").reason
    assert world.decide().act is Act.PROMOTE


def test_stay_watches_on_after_the_pass():
    world = d.passed()
    assert world.decide(stay=True).act is Act.WAIT
    world.promote(2)
    assert world.decide(stay=True).act is Act.BAKE


# Baking


def baking():
    world = d.passed(PROMOTING)
    world.carry_out(world.decide())
    return world


def test_baking_lasts_as_long_as_the_policy_says():
    world = baking()
    early = world.decide(elapsed=60.0, bake=d.QUIET_BAKE)
    assert (early.act, early.seconds) == (Act.WAIT, 29 * 60.0)
    assert world.decide(elapsed=-1e5, bake=d.QUIET_BAKE).act is Act.WAIT
    assert world.decide(elapsed=30 * 60.0, bake=d.QUIET_BAKE).act is Act.BAKED
    assert "no records to compare" in world.decide(elapsed=d.LONG).reason


@pytest.mark.parametrize("elapsed", [0.0, 60.0, d.LONG])
def test_a_guardrail_that_fails_while_baking_rolls_back(elapsed):
    world = baking()
    world.append("frozen", reason="no")
    assert world.decide(elapsed=elapsed, bake=d.HARMED_BAKE).act is Act.ROLL_BACK


def test_what_cannot_be_told_is_no_reason_to_roll_back():
    open_ = replace(d.QUIET_BAKE, verdict=Verdict.INCONCLUSIVE, reason="which may be less or more")
    world = baking()
    assert world.decide(elapsed=60.0, bake=open_).act is Act.WAIT
    assert "less or more" in world.decide(bake=open_).reason


def test_a_person_who_rolls_back_or_promotes_while_it_bakes():
    world = baking()
    world.roll_back()
    action = world.decide(bake=d.QUIET_BAKE)
    assert (action.act, "rolled back by ada" in action.reason) == (Act.NOTE_ROLLBACK, True)
    world.carry_out(action)
    assert world.decide().final == "rolled-back"

    world = baking()
    world.promote(5)
    assert world.decide(bake=d.HARMED_BAKE).act is Act.YIELD


def test_a_new_challenger_while_it_bakes_does_not_disturb():
    world = baking()
    world.stage(3)
    assert world.run(bake=d.QUIET_BAKE, mine=world.state["live"]["test"]).final == "baked"
    assert world.decide().act is Act.START
