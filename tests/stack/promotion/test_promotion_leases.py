"""The lease: one holder at a time, a dead one named and waited for or broken, a late one shut out."""

from __future__ import annotations

import getpass
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from promotion_world import World, unique
from tests.stack.commands import SWITCH, WRITE, At, Done

from mlflowctl.registry import leases
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.objects import Objects

pytestmark = pytest.mark.stack
WITH_INTENT = 2  # the second write of a promotion; the first one takes the lease


@pytest.fixture
def challenged(make_model: Callable[..., World]) -> World:
    """v1 is champion, v2 the validated challenger."""
    world = make_model(2, champions=1)
    world.challenge(2)
    return world


def test_a_dead_holder_is_named_with_what_it_did_and_the_ways_out(challenged: World) -> None:
    assert challenged.model("promote", at=At("after", WITH_INTENT)).code == -9
    for command in ("promote", "rollback", "reconcile", "freeze"):
        said = challenged.model(command, "--reason", "test", "--lease-wait", "0").expect(5).err
        assert f"{getpass.getuser()} on " in said
        assert "promote v2" in said
        assert "Nothing was changed" in said
        assert "--lease-wait" in said
        assert f"mlflowctl model reconcile {challenged.name} --break-lease --reason" in said
    assert "is changing it (promote v2)" in challenged.model("status").expect(0).out
    challenged.let_the_lease_run_out()
    challenged.model("reconcile").expect(0)


def test_waiting_for_a_dead_holder_ends_when_its_lease_does(challenged: World) -> None:
    assert challenged.model("promote", at=At("after", WITH_INTENT), ttl=1).code == -9
    began = time.monotonic()
    challenged.model("promote", "--lease-wait", "30").expect(0)
    assert 1 < time.monotonic() - began < 20
    assert challenged.champion == 2
    challenged.assert_in_order()


def test_a_lease_is_broken_with_a_reason_that_stands_in_the_ledger(challenged: World) -> None:
    assert challenged.model("promote", at=At("after", WITH_INTENT)).code == -9
    assert "wants a reason" in challenged.model("reconcile", "--break-lease").expect(2).err
    challenged.model("reconcile", "--break-lease", "--reason", "laptop on fire").expect(0)
    (broken,) = [one for one in challenged.entries() if one["kind"] == "lease-broken"]
    assert broken["reason"] == "laptop on fire"
    assert broken["body"]["message"] == "promote v2"
    assert broken["body"]["holder"]["name"] == getpass.getuser()
    assert challenged.champion == 1
    challenged.assert_in_order()
    challenged.model("promote").expect(0)


def test_a_lease_that_nobody_holds_need_not_be_broken(challenged: World) -> None:
    before = len(challenged.entries())
    challenged.model("reconcile", "--break-lease", "--reason", "to be sure").expect(0)
    assert len(challenged.entries()) == before


def suspended(world: World, at: At, meanwhile: Callable[[], Done]) -> Done:
    """A promotion sleeps there until its lease is over and another command has run; then it wakes up."""
    sleeper = world.begin("promote", at=at)
    sleeper.wait_until_stopped()
    world.let_the_lease_run_out()
    meanwhile().expect(0)
    sleeper.wake()
    return sleeper.wait()


def test_a_holder_that_slept_before_its_intent_loses_to_a_promotion(challenged: World) -> None:
    at = At("before", WITH_INTENT, WRITE, signal.SIGSTOP)
    late = suspended(challenged, at, lambda: challenged.model("promote")).expect(5)
    assert "after this one's lease had ended" in late.err
    assert not any("transition-stage" in one for one in late.trace)
    assert [one["kind"] for one in challenged.entries()[-2:]] == ["intent", "done"]
    challenged.assert_in_order()


def test_a_holder_that_slept_before_its_intent_loses_to_a_freeze(challenged: World) -> None:
    at = At("before", WITH_INTENT, WRITE, signal.SIGSTOP)
    suspended(challenged, at, lambda: challenged.model("freeze", "--reason", "incident")).expect(5)
    assert challenged.champion == 1
    challenged.assert_in_order()


def test_a_holder_that_slept_after_its_intent_does_not_switch_any_more(challenged: World) -> None:
    at = At("after", WITH_INTENT, WRITE, signal.SIGSTOP)
    late = suspended(challenged, at, lambda: challenged.model("reconcile")).expect(5)
    assert not any("transition-stage" in one for one in late.trace)
    assert challenged.champion == 1
    challenged.assert_in_order()


def test_a_holder_whose_lease_was_broken_does_not_switch_any_more(challenged: World) -> None:
    sleeper = challenged.begin("promote", at=At("before", WITH_INTENT, WRITE, signal.SIGSTOP))
    sleeper.wait_until_stopped()
    challenged.model("reconcile", "--break-lease", "--reason", "it hangs").expect(0)
    sleeper.wake()
    late = sleeper.wait().expect(5)
    assert not any("transition-stage" in one for one in late.trace)
    assert challenged.champion == 1
    challenged.assert_in_order()


def test_a_holder_that_slept_in_the_very_act_of_sending_the_switch_is_found_out(challenged: World) -> None:
    """The one gap of the protocol: nothing stands between the last look and the request itself."""
    at = At("before", 1, SWITCH, signal.SIGSTOP)
    late = suspended(challenged, at, lambda: challenged.model("reconcile")).expect(5)
    assert any("transition-stage" in one for one in late.trace)
    challenged.assert_one_champion(2)
    assert "foreign: v2 became champion" in challenged.model("audit").expect(6).out
    challenged.model("rollback", "--no-load-check").expect(0)
    challenged.model("reconcile").expect(0)
    challenged.assert_one_champion(1)
    challenged.assert_in_order()


def test_many_threads_never_hold_the_same_lease_together(stack) -> None:
    name, inside, most, taken = unique("lease"), [0], [0], [0]
    guard = threading.Lock()

    def work(number: int) -> None:
        objects, actor = Objects(stack.context.s3), Actor(f"thread {number}", "os", "here")
        for _ in range(4):
            with leases.held(objects, name, actor, "test", wait=60):
                with guard:
                    inside[0] += 1
                    most[0], taken[0] = max(most[0], inside[0]), taken[0] + 1
                time.sleep(0.01)
                with guard:
                    inside[0] -= 1

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert taken == [24]
    assert most == [1]


@pytest.mark.parametrize("before", ["never taken", "released"])
def test_of_many_that_try_at_the_same_moment_exactly_one_gets_it(stack, before: str) -> None:
    name, start = unique("lease"), threading.Barrier(8)
    if before == "released":
        with leases.held(Objects(stack.context.s3), name, Actor("first", "os", "here"), "test"):
            pass

    def work(number: int) -> bool:
        objects = Objects(stack.context.s3)
        objects.get("warm")
        start.wait(30)
        try:
            leases.acquire(objects, name, Actor(f"thread {number}", "os", "here"), "test")
        except leases.LeaseHeldError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(work, range(8))) == 1


def test_a_conditional_overwrite_that_comes_second_is_refused(stack) -> None:
    objects, key = Objects(stack.context.s3), f"leases/{unique('race')}.json"
    etag = objects.create(key, b"first")
    assert etag
    assert objects.create(key, b"another first") is None
    assert objects.create(key, b"first") == etag, "a repeated request is the same write"
    second = objects.replace(key, b"second", etag)
    assert second
    assert objects.replace(key, b"late", etag) is None
    assert objects.get(key).body == b"second"
