"""A saved plan is good for the state that it was made in, and for no other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from promotion_world import World
from tests.stack.commands import Done

from mlflowctl.registry.verdict import Verdict

pytestmark = pytest.mark.stack


@pytest.fixture
def planned(make_model: Callable[..., World]) -> World:
    """v1 is champion, v2 the validated challenger, v3 and v4 wait; a plan for v2 is saved."""
    world = make_model(4, champions=1)
    world.challenge(2)
    world.model("plan", "--out", world.folder / "plan.json").expect(0)
    return world


def apply(world: World, *arguments: str) -> Done:
    plan = str(world.folder / "plan.json")
    return world.run("model", "apply", plan, "--policy", str(world.policy_file), "--yes", *arguments)


def test_a_plan_reads_only_and_apply_carries_it_out(planned: World) -> None:
    assert planned.stages()[2] == "Staging"
    assert planned.audit().findings == []
    shown = apply(planned, "--dry-run", "--json").expect(0).json["result"]
    assert "alias champion" in json.dumps(shown)
    assert apply(planned, "--dry-run", "--exit-code").code == 6
    assert f"{planned.name}: v1 → v2" in apply(planned).expect(0).out
    assert planned.champion == 2
    planned.assert_in_order()


def test_applying_it_twice_does_nothing_the_second_time(planned: World) -> None:
    apply(planned).expect(0)
    before = len(planned.entries())
    assert "Nothing to do: v2 is the champion" in apply(planned).expect(0).out
    assert len(planned.entries()) == before


def another_promotion(world: World) -> None:
    world.model("stage", 3, "--replace", 2).expect(0)
    world.stub_validation(3)
    world.model("promote").expect(0)


def its_own_promotion_and_a_rollback(world: World) -> None:
    world.model("promote").expect(0)
    world.model("rollback", "--no-load-check").expect(0)


def a_policy_change(world: World) -> None:
    world.write_policy(alpha=0.01)


def another_challenger(world: World) -> None:
    world.model("stage", 3, "--replace", 2).expect(0)


def no_challenger(world: World) -> None:
    world.model("archive", 2).expect(0)


def new_evidence(world: World) -> None:
    world.stub_validation(2)


def new_evidence_that_fails(world: World) -> None:
    world.stub_validation(2, Verdict.FAIL)


def a_plain_client(world: World) -> None:
    assert world.transition(4, "Production").ok


MOVED_ON = [
    another_promotion, its_own_promotion_and_a_rollback, a_policy_change, another_challenger, no_challenger,
    new_evidence, new_evidence_that_fails, a_plain_client,
]  # fmt: skip


@pytest.mark.parametrize("moved", MOVED_ON, ids=lambda one: one.__name__)
def test_a_plan_whose_ground_has_moved_is_refused(planned: World, moved: Callable[[World], None]) -> None:
    moved(planned)
    before = planned.champion
    said = apply(planned).expect(5).err
    assert "The plan is stale" in said
    assert "Nothing was changed" in said
    assert f"mlflowctl model plan {planned.name} --out FILE" in said
    assert planned.champion == before


def test_a_plan_that_was_edited_is_refused(planned: World) -> None:
    file = planned.folder / "plan.json"
    plan = json.loads(file.read_text())
    plan["move"]["version"] = 4
    file.write_text(json.dumps(plan))
    apply(planned).expect(5)
    file.write_text("{}")
    apply(planned).expect(2)
    assert planned.champion == 1


def test_the_state_that_moves_on_between_plan_and_lease_is_noticed_under_the_lease(planned: World) -> None:
    """Two commands have planned the same promotion; the second one finds it done."""
    import signal

    from tests.stack.commands import At

    late = planned.begin("promote", at=At("before", 1, signal=signal.SIGSTOP))
    late.wait_until_stopped()
    planned.model("promote").expect(0)
    late.wake()
    said = late.wait().expect(5).err
    assert "Somebody was faster" in said
    planned.assert_one_champion(2)
    planned.assert_in_order()
