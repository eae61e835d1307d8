"""kill -9 of a command before each of its requests; then any next command leaves everything in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from promotion_world import World
from tests.stack.commands import At

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

LANES = 3  # models that are worked on at the same time


Follower = Callable[["Lane", tuple[object, ...]], str]


class Lane:
    """One model, brought again and again into the state in which the command has something to do."""

    def __init__(self, world: World, command: str) -> None:
        self.world, self.command = world, command
        self.world.promote(*world.versions(2 if command == "rollback" else 1))

    def prepare(self) -> tuple[tuple[object, ...], set[int | None]]:
        """Arguments of the command, and who may be champion after it and after whatever comes next."""
        world, before = self.world, self.world.champion
        if self.command == "promote":
            present, (new,) = world.desk.registry.challenger(world.name), world.versions(1)
            world.stage(new, *(("--replace", present.version) if present else ()))
            world.stub_validation(new)
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

    def killed(self, at: At, follower: Follower) -> bool:
        """Kill the command there, run a next one, look; True if the command was done before that."""
        arguments, allowed = self.prepare()
        first = self.world.model(self.command, *arguments, at=at)
        if first.code == 0:
            return True
        assert first.code == -9, first.err
        assert self.world.champion in allowed
        self.world.let_the_lease_run_out()
        said = follower(self, arguments)
        champion, where = self.world.champion, (at, first.trace[-1:], follower.__name__, said)
        assert champion in allowed, where
        if follower is the_same and self.command == "rollback":
            assert champion == min(allowed), f"rolled back once, not further and not forth: {where}"
        if champion is not None:
            self.world.assert_one_champion()
        self.world.assert_in_order()
        return False


def the_same(lane: Lane, arguments: tuple[object, ...]) -> str:
    """Whoever saw it die presses the arrow key and Enter."""
    return lane.world.model(lane.command, *arguments).expect(0, 2, 5).err


def a_reconcile(lane: Lane, arguments: tuple[object, ...]) -> str:
    return lane.world.model("reconcile").expect(0).err


def a_freeze(lane: Lane, arguments: tuple[object, ...]) -> str:
    said = lane.world.model("freeze", "--reason", "what happened?").expect(0).err
    lane.world.model("unfreeze", "--reason", "understood").expect(0)
    return said


def a_promotion(lane: Lane, arguments: tuple[object, ...]) -> str:
    """Of whatever is the challenger; there may be none by now, or one that was not validated."""
    if lane.command == "stage":
        return lane.world.model("promote").expect(2).err
    return lane.world.model("promote").expect(0, 2, 5).err


FOLLOWERS: tuple[Follower, ...] = (the_same, a_reconcile, a_freeze, a_promotion)


@pytest.mark.parametrize("command", ["promote", "rollback", "stage", "retire"])
def test_a_command_killed_before_or_after_any_of_its_writes_leaves_nothing_that_the_next_one_does_not_mend(
    make_model: Callable[..., World], command: str
) -> None:
    """Reads change nothing, so these are all states in which a command can die."""
    moments = iter(
        [
            (At(when, number), follower)
            for (number, when), follower in zip(
                itertools.product(range(1, 40), ("before", "after")), itertools.cycle(FOLLOWERS), strict=False
            )
        ]
    )

    def work(lane: Lane) -> int:
        for at, follower in moments:
            if lane.killed(at, follower):
                return at.number
        raise AssertionError

    with ThreadPoolExecutor(LANES) as threads:
        lanes = list(threads.map(lambda _: Lane(make_model(), command), range(LANES)))
        ends = list(threads.map(work, lanes))
    assert min(ends) > 6, "the command did not even take a lease, journal, switch and release"
