"""Server, database and object store killed in the middle, kept down, or set back in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from promotion_outage import dump, hanging_object_store, kill, restore, serving, without_object_store
from promotion_world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("promotion outages")]

# Why the loop's step is refused when the one before it failed, or when it could not look at the challenger.
NEXT_STEP_REFUSED = ("has no challenger", "has a challenger", "not validated", "starts from")
FORCED = ("--override-gate", "--reason", "outage drill")


def promoting(world: World, versions: list[int], stop: threading.Event, codes: list[tuple[int, str]]) -> None:
    """Stage and promote one version after the other, whatever comes of it."""
    for version in versions:
        present = world.desk.registry
        for command in (("stage", version, "--replace", _challenger(present, world)), ("promote", *FORCED)):
            arguments = [one for one in command if one is not None]
            if arguments[-1] == "--replace":
                arguments.pop()
            done = world.model(*arguments, "--lease-wait", 1)
            codes.append((done.code, done.err))
        if stop.is_set():
            return


def _challenger(registry, world: World) -> int | None:
    try:
        found = registry.challenger(world.name)
    except Exception:
        return None  # the server is down; the command will say so
    return found.version if found else None


@pytest.mark.parametrize("component", ["mlflow", "postgres", "object-store"])
def test_a_component_killed_in_the_middle_of_promotions_ends_in_order(
    own, make_own_model: Callable[..., World], component: str
) -> None:
    world = make_own_model(60, champions=1)
    stop, codes = threading.Event(), []
    thread = threading.Thread(target=promoting, args=(world, list(range(2, 60)), stop, codes))
    thread.start()
    time.sleep(2)
    kill(own, component)
    serving(own)
    time.sleep(1)
    stop.set()
    thread.join(120)
    assert not thread.is_alive()
    assert {code for code, _ in codes} <= {0, 1, 2, 5}
    for code, said in codes:
        assert "Traceback" not in said
        if code == 1:  # something did not answer: what, what state things are in, what to do
            assert all(line in said for line in ("error: ", "\nstate: ", "\nnext:  ")), said
            assert "not an expected failure" not in said
        if code == 2:  # the loop's next step, when the one before it was refused
            assert any(why in said for why in NEXT_STEP_REFUSED), said
    assert any(code == 0 for code, _ in codes)
    world.let_the_lease_run_out()
    world.model("reconcile").expect(0)
    world.assert_one_champion()
    world.assert_in_order()
    present = world.desk.registry.challenger(world.name)
    world.stage(60, *(("--replace", present.version) if present else ()))
    world.model("promote", *FORCED).expect(0)
    world.assert_one_champion(60)
    world.assert_in_order()


def test_with_the_object_store_down_rollback_names_break_glass_which_works_and_is_recorded_later(
    own, make_own_model: Callable[..., World]
) -> None:
    world = make_own_model(3, champions=3)
    before = len(world.entries())
    glass = ("--break-glass", "--reason", "the store is down")
    with without_object_store(own):
        said = world.model("rollback", "--no-load-check").expect(1).err
        assert "cannot be reached" in said
        assert f"mlflowctl model rollback {world.name} --break-glass --reason" in said
        assert world.model("promote").expect(1).err.count("Nothing was changed") == 1
        began = time.monotonic()
        assert f"{world.name}: v3 → v2" in world.model("rollback", *glass).expect(0).out
        assert time.monotonic() - began < 5
        assert "Nothing to do" in world.model("rollback", *glass).expect(0).out
        world.assert_one_champion(2)
        assert "the ledger cannot be read" in world.model("status").expect(0).out
    assert len(world.entries()) == before
    assert "Nothing to do" in world.model("rollback", "--no-load-check").expect(0).out
    world.model("reconcile").expect(0)
    assert world.entries()[before]["body"]["by"] == "break-glass"
    assert world.state["failed"] == [3]
    world.assert_one_champion(2)
    world.assert_in_order()


def test_with_an_object_store_that_hangs_rollback_still_names_break_glass_within_a_minute(
    own, make_own_model: Callable[..., World]
) -> None:
    world = make_own_model(2, champions=2)
    with hanging_object_store(own):
        began = time.monotonic()
        said = world.model("rollback", "--no-load-check").expect(1).err
        assert time.monotonic() - began < 60
        assert "--break-glass" in said
        world.model("rollback", "--break-glass", "--reason", "it hangs").expect(0)
    world.model("reconcile").expect(0)
    world.assert_one_champion(1)
    world.assert_in_order()


@pytest.mark.parametrize("prefer", ["registry", "ledger"])
def test_a_database_restored_to_an_earlier_time_is_shown_and_both_ways_end_clean(
    own, make_own_model: Callable[..., World], tmp_path: Path, prefer: str
) -> None:
    world = make_own_model(4, champions=2)
    backup = tmp_path / "mlflow.dump"
    dump(own, backup)
    world.promote(3)
    world.model("stage", 4).expect(0)
    restore(own, backup)
    world.assert_one_champion(2)
    shown = world.model("reconcile", "--dry-run", "--prefer", prefer).expect(0).out
    assert (
        ("the ledger says v3" in shown) if prefer == "registry" else ("v2 to v3, as the ledger says" in shown)
    )
    assert "phantom" in world.model("audit").expect(6).out
    world.model("reconcile", "--prefer", prefer, "--reason", "restored").expect(0)
    world.assert_one_champion(2 if prefer == "registry" else 3)
    world.assert_in_order()
    world.promote(4)
    world.assert_in_order()
