"""kill -9 of a command before each of its requests; then any next command leaves everything in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from promotion_world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

LANES = 4  # models that are worked on at the same time
TTL = 0.9  # seconds; the store's clock has whole ones, so a dead lease is over after one to two


class Lane:
    """One model, brought again and again into the state in which the command has something to do."""

    def __init__(self, world: World, command: str) -> None:
        self.world, self.command = world, command
        self.world.promote(*world.versions(2 if command == "rollback" else 1))

    def prepare(self) -> tuple[tuple[object, ...], set[int | None]]:
        """Arguments of the command, and who may be champion after it and after whatever comes next."""
        world, before = self.world, self.world.champion
        if self.command == "promote":
            (new,) = world.versions(1)
            world.challenge(new) if world.desk.registry.challenger(world.name) is None else world.model(
                "stage", new, "--replace", world.desk.registry.challenger(world.name).version
            ).expect(0) and world.stub_validation(new)
            return ("--reason", "kill"), {before, new}
        if self.command == "rollback":
            if world.state["rolled_back"] or len(world.state["reigns"]) < 2:
                world.promote(*world.versions(2))
            before, target = world.champion, world.state["reigns"][-2]["version"]
            return ("--no-load-check", "--reason", "kill"), {before, target}
        if self.command == "stage":
            (new,) = world.versions(1)
            present = world.desk.registry.challenger(world.name)
            return (new, *(("--replace", present.version) if present else ()), "--reason", "kill"), {before}
        if before is None:
            world.promote(*world.versions(1))
        return ("--confirm", world.name, "--reason", "kill"), {world.champion, None}

    def killed_before(self, request: int) -> bool:
        """Kill the command there, run a next one, look; True if the command was done before that."""
        arguments, allowed = self.prepare()
        first = self.world.model(self.command, *arguments, kill_before=request, ttl=TTL)
        done = first.code == 0
        if not done:
            assert first.code == -9, first.err
        before = self.world.champion
        assert before in allowed
        follower = FOLLOWERS[request % len(FOLLOWERS)]
        said = follower(self, arguments)
        assert self.world.champion in allowed, (self.command, request, first.trace[-1:], follower.__name__, said)
        if follower is the_same and self.command == "rollback":
            assert self.world.champion == min(allowed), "rolled back once, not further and not forth"
        if self.world.champion is not None:
            self.world.assert_one_champion()
        self.world.assert_in_order()
        return done


def the_same(lane: Lane, arguments: tuple[object, ...]) -> str:
    """Whoever saw it die presses the arrow key and Enter."""
    return lane.world.model(lane.command, *arguments, ttl=TTL).expect(0, 2, 5).err


def a_reconcile(lane: Lane, arguments: tuple[object, ...]) -> str:
    return lane.world.model("reconcile", ttl=TTL).expect(0).err


def a_freeze(lane: Lane, arguments: tuple[object, ...]) -> str:
    said = lane.world.model("freeze", "--reason", "what happened?", ttl=TTL).expect(0).err
    lane.world.model("unfreeze", "--reason", "understood", ttl=TTL).expect(0)
    return said


def a_promotion(lane: Lane, arguments: tuple[object, ...]) -> str:
    """Of whatever is the challenger; after another command there may be none, or one that was not validated."""
    if lane.command == "stage":
        return lane.world.model("promote", ttl=TTL).expect(2).err
    return lane.world.model("promote", ttl=TTL).expect(0, 2, 5).err


FOLLOWERS: tuple[Callable[[Lane, tuple[object, ...]], str], ...] = (
    the_same,
    a_reconcile,
    a_freeze,
    a_promotion,
)


@pytest.mark.parametrize("command", ["promote", "rollback", "stage", "retire"])
def test_a_command_killed_before_any_of_its_requests_leaves_nothing_that_the_next_one_does_not_mend(
    make_model: Callable[..., World], command: str
) -> None:
    requests = itertools.count(1)

    def work(lane: Lane) -> int:
        for request in requests:
            if lane.killed_before(request):
                return request
        raise AssertionError

    with ThreadPoolExecutor(LANES) as threads:
        lanes = list(threads.map(lambda _: Lane(make_model(), command), range(LANES)))
        ends = list(threads.map(work, lanes))
    assert min(ends) > 15, "the command did not even take a lease"
