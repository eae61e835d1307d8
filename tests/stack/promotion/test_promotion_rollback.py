"""Rollback: back to the last good champion, once, whoever asks and however often."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from promotion_world import World

pytestmark = pytest.mark.stack
FAST = "--no-load-check"


def test_it_needs_no_version_and_says_from_where_to_where(make_model: Callable[..., World]) -> None:
    world = make_model(3, champions=3)
    said = world.model("rollback", FAST, "--reason", "errors").expect(0)
    assert f"{world.name}: v3 → v2" in said.out
    world.assert_one_champion(2)
    assert (world.tag(3), world.tag(2)) == ("failed", "passed")
    assert world.desk.registry.previous(world.name).version == 3
    world.assert_in_order()


def test_a_second_call_does_nothing_and_a_third_neither(make_model: Callable[..., World]) -> None:
    world = make_model(3, champions=3)
    world.model("rollback", FAST).expect(0)
    before = len(world.entries())
    for _ in range(2):
        said = world.model("rollback", FAST, "--json").expect(0).json
        assert said["result"]["changed"] is False
        assert said["result"]["champion"] == 2
    assert "Nothing to do: v2 is champion since" in world.model("rollback", FAST).out
    assert "--expect-champion 2" in world.model("rollback", FAST).out
    assert len(world.entries()) == before
    world.assert_one_champion(2)


def test_expecting_a_champion_makes_a_repeat_safe_and_going_further_possible(make_model) -> None:
    world = make_model(3, champions=3)
    said = world.model("rollback", FAST, "--expect-champion", 2).expect(5).err
    assert "The champion of model" in said
    assert "is v3, not v2" in said
    world.model("rollback", FAST, "--expect-champion", 3).expect(0)
    assert "Nothing to do" in world.model("rollback", FAST, "--expect-champion", 3).expect(0).out
    world.assert_one_champion(2)
    world.model("rollback", FAST, "--expect-champion", 2).expect(0)
    world.assert_one_champion(1)
    said = world.model("rollback", FAST, "--expect-champion", 1).expect(2).err
    assert "There is nothing to roll model" in said
    world.assert_one_champion(1)
    assert [world.tag(version) for version in (1, 2, 3)] == ["passed", "failed", "failed"]
    world.assert_in_order()


def test_two_engineers_at_once_roll_back_once(make_model: Callable[..., World]) -> None:
    world = make_model(4, champions=4)
    started = [world.begin("rollback", FAST, "--lease-wait", 30) for _ in range(4)]
    said = [one.wait().expect(0).out for one in started]
    assert sum("v4 → v3" in one for one in said) == 1
    assert sum("Nothing to do" in one for one in said) == 3
    world.assert_one_champion(3)
    world.assert_in_order()


def test_the_version_rolled_back_from_is_never_chosen_again(make_model: Callable[..., World]) -> None:
    world = make_model(5, champions=3)
    world.model("rollback", FAST).expect(0)  # 3 → 2
    world.promote(4)
    world.model("rollback", FAST).expect(0)  # 4 → 2, not 3
    world.assert_one_champion(2)
    world.promote(5)
    world.model("rollback", FAST).expect(0)  # 5 → 2
    world.assert_one_champion(2)
    world.model("rollback", FAST, "--expect-champion", 2).expect(0)  # 2 → 1
    world.assert_one_champion(1)
    assert sorted(world.state["failed"]) == [2, 3, 4, 5]
    world.assert_in_order()


def test_a_version_that_failed_may_come_back_by_a_promotion_and_then_counts(make_model) -> None:
    world = make_model(3, champions=2)
    world.model("rollback", FAST).expect(0)  # 2 → 1
    world.promote(2)  # staged anew, validated anew
    world.promote(3)
    world.model("rollback", FAST).expect(0)
    world.assert_one_champion(2)
    assert world.state["failed"] == [3]
    world.assert_in_order()


def test_what_a_version_once_passed_does_not_bring_it_back(make_model: Callable[..., World]) -> None:
    world = make_model(2, champions=2)
    world.model("rollback", FAST).expect(0)
    world.stage(2)
    assert world.tag(2) == "pending"
    assert "was not validated" in world.model("promote").expect(2).err


def test_there_is_nothing_to_roll_back_to_without_a_champion_or_before_the_first(make_model) -> None:
    world = make_model(1)
    assert "it has no champion" in world.model("rollback", FAST).expect(2).err
    world.promote(1)
    assert "no good champion before v1" in world.model("rollback", FAST).expect(2).err
    assert "not found" in _unknown(world).err


def _unknown(world: World):
    return world.run("model", "rollback", "no such model", "--yes").expect(2)


def test_a_dry_run_changes_nothing(make_model: Callable[..., World]) -> None:
    world = make_model(2, champions=2)
    before = len(world.entries())
    assert "v2 to v1" in world.model("rollback", "--dry-run").expect(0).out
    assert world.model("rollback", "--dry-run", "--exit-code").code == 6
    assert len(world.entries()) == before
    world.assert_one_champion(2)
    world.model("rollback", FAST).expect(0)
    assert world.model("rollback", "--dry-run", "--exit-code").code == 0


def test_without_a_terminal_it_wants_yes(make_model: Callable[..., World]) -> None:
    world = make_model(2, champions=2)
    said = world.run("model", "rollback", world.name, FAST).expect(2).err
    assert "There is no terminal to ask on" in said
    assert "Add --yes" in said
    world.assert_one_champion(2)


def test_break_glass_is_recorded_by_reconcile_and_never_ping_pongs(make_model) -> None:
    world = make_model(3, champions=3)
    assert "wants a reason" in world.model("rollback", "--break-glass").expect(2).err
    glass = ("--break-glass", "--reason", "the store is down")
    first = world.model("rollback", *glass).expect(0)
    assert f"{world.name}: v3 → v2" in first.out
    assert not any("mlflow-registry" in one for one in first.trace), "it asked the object store"
    before = len(world.entries())
    assert "Nothing to do" in world.model("rollback", *glass).expect(0).out
    assert "Nothing to do" in world.model("rollback", FAST).expect(0).out
    world.assert_one_champion(2)
    assert len(world.entries()) == before
    assert "break glass" in world.model("reconcile", "--dry-run").expect(0).out
    world.model("reconcile").expect(0)
    entry = world.entries()[-1]
    assert (entry["kind"], entry["body"]["by"], entry["body"]["failed"]) == ("observed", "break-glass", 3)
    assert entry["body"]["glass"]["reason"] == "the store is down"
    assert world.state["failed"] == [3]
    assert "Nothing to do" in world.model("rollback", FAST).expect(0).out
    world.assert_one_champion(2)
    world.assert_in_order()


def test_after_a_break_glass_one_may_go_further_back_before_it_is_recorded(make_model) -> None:
    world = make_model(3, champions=3)
    world.model("rollback", "--break-glass", "--reason", "x").expect(0)
    world.model("rollback", FAST, "--expect-champion", 2).expect(0)
    world.assert_one_champion(1)
    assert sorted(world.state["failed"]) == [2, 3]
    world.assert_in_order()


def test_a_break_glass_that_died_before_its_switch_does_not_stand_in_the_way(make_model) -> None:
    from tests.stack.commands import SWITCH, At

    world = make_model(3, champions=3)
    glass = ("--break-glass", "--reason", "x")
    assert world.model("rollback", *glass, at=At("before", 1, SWITCH)).code == -9
    world.assert_one_champion(3)
    world.model("rollback", FAST).expect(0)
    world.model("reconcile").expect(0)
    world.assert_in_order()
    assert world.tag(2, "mlflowctl.break_glass") is None


@pytest.mark.parametrize("stage", ["None", "Staging"])
def test_a_good_champion_that_somebody_moved_elsewhere_is_gone_back_to(make_model, stage: str) -> None:
    world = make_model(2, champions=2)
    assert world.transition(1, stage).ok
    world.model("rollback", FAST).expect(0)
    world.assert_one_champion(1)
    assert world.desk.registry.challenger(world.name) is None
