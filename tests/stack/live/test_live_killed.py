"""Killed before or after any of its writes, again and again: the test ends as if nobody had been killed."""

from __future__ import annotations

import itertools
import time

from tests.stack.commands import At

from mlflowctl.registry.verdict import Verdict

PASSED = ["started", "20% by live", "advanced", "50% by live", "passed"]
STEPS = "{share: 0.2, minutes: 0}, {share: 0.5, minutes: 0}"


def lives(world, until, most: int = 120, writes: int = 7):
    """Controllers, each killed before or after one of its writes, the next at the next; how they ended."""
    codes = []
    moments = itertools.product(range(1, writes + 1), ("before", "after"))
    for number, when in itertools.islice(itertools.cycle(moments), most):
        # Leases of promotions last three seconds here, so that one that was killed is soon forgotten.
        done = world.live("--once", at=At(when, number), ttl=3).wait()
        codes.append(done.code)
        if world.state["open"]:
            time.sleep(1)
        shares = [one for one in world.events() if "%" in one]
        assert len(shares) == len(set(shares)), "no share is set twice"
        if until():
            return codes
    raise AssertionError(f"not finished: {world.events()} {codes} {done.err}")


def test_up_the_ramp_to_the_pass(make_live):
    world = make_live(steps=STEPS)
    codes = lives(world, lambda: world.traffic.share == 0.2)
    world.serve(1500)
    codes += lives(world, lambda: world.traffic.share == 0.5)
    world.serve(1500)
    codes += lives(world, lambda: world.event == "passed")
    assert -9 in codes
    assert world.events() == PASSED
    assert world.once().code == 0
    assert world.events() == PASSED
    world.assert_in_order()


def test_an_abort(make_live):
    world = make_live(steps=STEPS)
    world.once().expect(4)
    world.serve(1000, errors=0.5)
    lives(world, lambda: world.event == "aborted")
    assert world.events() == ["started", "20% by live", "0% by live", "aborted"]
    assert "harm to error rate" in world.test.reason
    assert world.once().code == 3
    world.assert_in_order()


def test_a_promotion_and_the_rollback_while_baking(make_live):
    world = make_live(steps="{share: 0.5, minutes: 0}", promote=True, bake=60)
    world.once().expect(4)
    world.serve(3000)
    lives(world, lambda: world.champion == 2 and world.event in ("promoted", "baking"), writes=16)
    world.assert_one_champion(2)
    world.serve(600, champion_errors=0.5)
    lives(world, lambda: world.event == "rolled-back", writes=16)
    world.assert_one_champion(1)
    assert world.once().code == 3
    assert world.events()[:3] == ["started", "50% by live", "passed"]
    assert world.events()[3:] in (["promoted", "rolled-back"], ["baking", "rolled-back"])
    assert world.tag(2) == "failed"
    world.assert_in_order()


def test_evidence_that_failed_offline_is_never_promoted(make_live):
    world = make_live(steps="{share: 0.5, minutes: 0}", promote=True)
    world.stub_validation(2, Verdict.INCONCLUSIVE)
    world.once().expect(4)
    world.serve(3000)
    done = world.once().expect(4)
    assert "not done: The validation of version 2" in done.err
    assert (world.champion, world.event) == (1, "passed")
