"""Eight who promote and roll back, and a plain MLflow client among them: every commit has one champion."""

from __future__ import annotations

import collections
import random
import threading
import time
from collections.abc import Callable

import pytest
from guard_wal import Replay
from promotion_wal import StackRegistry
from promotion_world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("promotion outages")]

SECONDS = 15
VERSIONS = 30
CHAMPIONS = 4
FORCED = ("--override-gate", "--reason", "race")
Codes = collections.Counter[tuple[str, int]]


class Crowd:
    """Clients of one model, each in a thread that starts real commands, and what came of them."""

    def __init__(self, world: World, stack) -> None:
        self.world, self.stack = world, stack
        self.codes: Codes = collections.Counter()
        self.said: dict[tuple[str, int], str] = {}
        self.stop = threading.Event()

    def note(self, what: str, code: int, said: str) -> int:
        self.codes[what, code] += 1
        self.said[what, code] = said
        assert "Traceback" not in said, said
        return code

    def command(self, what: str, *arguments: object, process: bool = False) -> int:
        """Run it in a fork of the warm process, or as a process of its own, like any user."""
        if process:
            extra = ("--policy", str(self.world.policy_file)) if what == "promote" else ()
            line = ["model", what, self.world.name, *map(str, arguments), *extra, "--yes"]
            done = self.stack.cli(*line)
            return self.note(what, done.returncode, done.stderr)
        ended = self.world.model(what, *arguments)
        return self.note(what, ended.code, ended.err)

    def applier(self, dice: random.Random) -> None:
        """Stages a version of its own choice, plans its promotion, and applies the plan a little later."""
        version, plan = dice.randint(1, VERSIONS), self.world.folder / f"plan-{dice.random()}.json"
        present = self.world.desk.registry.challenger(self.world.name)
        replace = ("--replace", present.version) if present else ()
        self.world.model("stage", version, "--lease-wait", 3, *replace)
        if self.world.model("plan", "--out", plan, "--override-gate").code == 0:
            time.sleep(dice.random() / 10)
            done = self.world.run(
                "model",
                "apply",
                str(plan),
                "--policy",
                str(self.world.policy_file),
                "--yes",
                "--reason",
                "race",
            )
            self.note("apply", done.code, done.err)

    def roller(self, dice: random.Random) -> None:
        self.command("rollback", "--no-load-check", "--lease-wait", 3, process=dice.random() < 0.2)

    def promoter(self, dice: random.Random) -> None:
        """Promotes whatever is the challenger, if it sees one."""
        if self.world.desk.registry.challenger(self.world.name):
            self.command("promote", *FORCED, "--lease-wait", 3, process=dice.random() < 0.3)

    def mender(self, dice: random.Random) -> None:
        """Without somebody who reconciles, the first foreign switch would be the end of all promotions."""
        self.command("reconcile", "--lease-wait", 3)
        time.sleep(0.3)

    def plain_writer(self, dice: random.Random) -> None:
        version = dice.randint(1, VERSIONS)
        stage = dice.choice(["Production", "Production", "Staging", "Archived", "None"])
        answer = self.world.transition(version, stage)
        self.codes["plain", answer.status_code] += 1
        time.sleep(dice.random() * 3)

    def run(self, *kinds: Callable[[random.Random], None]) -> None:
        problems: list[BaseException] = []

        def work(act: Callable[[random.Random], None], seed: int) -> None:
            dice = random.Random(seed)
            try:
                while not self.stop.is_set():
                    act(dice)
            except BaseException as exc:
                problems.append(exc)

        threads = [threading.Thread(target=work, args=one) for one in zip(kinds, range(99), strict=False)]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS)
        self.stop.set()
        for thread in threads:
            thread.join(120)
        assert not problems, problems


def test_eight_clients_and_a_plain_writer_never_commit_anything_but_one_champion(
    own, make_own_model: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_own_model(VERSIONS, champions=CHAMPIONS)
    registry, crowd = StackRegistry(own), Crowd(world, own)
    replay = Replay.begin(registry)
    eight = [crowd.applier] * 3 + [crowd.promoter] * 2 + [crowd.roller] * 3
    crowd.run(*eight, crowd.plain_writer, crowd.mender)
    replay.finish(registry)

    with capsys.disabled():
        print(f"\n{SECONDS} s, {replay.commits} commits: {dict(sorted(crowd.codes.items()))}")
    assert replay.violations == []
    assert replay.commits > 10
    for (what, code), number in crowd.codes.items():
        if what in ("apply", "promote", "rollback"):
            allowed = {0, 5} | ({2} if NOTHING_LEFT[what] in crowd.said[what, code] else set())
            assert code in allowed, (what, code, number, crowd.said[what, code])
    assert min(crowd.codes["apply", 0], crowd.codes["rollback", 0], crowd.codes["plain", 200]) > 0
    world.model("reconcile").expect(0)
    world.assert_one_champion()
    world.assert_in_order()
    numbers = [entry["number"] for entry in world.entries()]
    assert numbers == list(range(1, len(numbers) + 1))


# Not a conflict, and no failure either: there was nothing of the kind when the command began.
NOTHING_LEFT = {
    "apply": "(never)",
    "promote": "has no challenger",
    "rollback": "There is nothing to roll model",
}
