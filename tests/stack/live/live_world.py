"""A model under live test on a real stack; the gateway's records are written as a gateway writes them."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psutil
from promotion_world import World
from tests.stack.commands import Done, Started

from mlflowctl.live import hold, report
from mlflowctl.live.state import LiveTest
from mlflowctl.serving import records
from mlflowctl.serving.records import Record
from mlflowctl.serving.traffic import Traffic, of_state, set_share

# Seconds, as minutes: a ramp that a test can wait for.
QUICK = "{share: 0.2, minutes: 0.02}, {share: 0.5, minutes: 0.02}"
ERRORS = "{name: error rate, source: errors, role: guardrail, margin: 0.05}"


@dataclass
class LiveWorld(World):
    """Adds records and the commands of ``live``."""

    gateway: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")
    sequence: int = 0
    running: list[Started] = field(default_factory=list)

    def write_live(
        self, steps: str = QUICK, minimum: int = 100, metrics: str = ERRORS, bake: float = 0.05, **more: Any
    ) -> None:
        """The policy, with a ramp."""
        told = "".join(f", {key}: {json.dumps(value)}" for key, value in more.items())
        live = f"{{steps: [{steps}], minimum: {minimum}, bake_minutes: {bake}, metrics: [{metrics}]{told}}}"
        self.write_policy(live=live)

    def challenged(self) -> int:
        """One more version as challenger, validated; returns its number."""
        number = self.versions(1)[0]
        self.challenge(number)
        return number

    # The gateway

    def serve(self, count: int, errors: float = 0.0, champion_errors: float = 0.0, seed: int = 1) -> None:
        """That many requests at the present share, in one chunk of records."""
        state = self.state
        traffic, dice = of_state(state), random.Random(seed + self.sequence)
        rows = []
        for _ in range(count):
            challenges = dice.random() < traffic.share
            variant = "challenger" if challenges else "champion"
            failed = dice.random() < (errors if challenges else champion_errors)
            rows.append(
                Record(
                    at=time.time(),
                    request=uuid.uuid4().hex,
                    variant=variant,
                    version=state[variant],
                    step=traffic.step,
                    status=500 if failed else 200,
                    ms=dice.uniform(5, 20),
                )
            )
        self.ship(rows)

    def ship(self, rows: list[Record]) -> None:
        self.sequence += 1
        assert records.write_chunk(self.desk.objects, self.name, self.gateway, self.sequence, rows)

    # Commands

    def start(self, *arguments: str, **how: Any) -> Started:
        begun = super().start(*arguments, **how)
        self.running.append(begun)
        return begun

    def end(self) -> None:
        """Kill what a test that failed has left."""
        children = {one.pid for one in psutil.Process(self.runner.process.pid).children()}
        for one in self.running:
            if one.pid in children:
                kill(one)

    def live(self, *more: str, **how: Any) -> Started:
        """``mlflowctl live run`` in the background."""
        return self.start(
            "live", "run", self.name, "--policy", str(self.policy_file), "--yes", "--interval", "0.3", *more,
            **how,
        )  # fmt: skip

    def once(self, *more: str) -> Done:
        return self.live("--once", *more).wait()

    # Looking

    @property
    def traffic(self) -> Traffic:
        return of_state(self.state)

    @property
    def test(self) -> LiveTest:
        found = LiveTest.of(self.state)
        assert found is not None
        return found

    @property
    def event(self) -> str:
        found = LiveTest.of(self.state)
        return found.event if found else ""

    def events(self) -> list[str]:
        """Events of the ledger, and the shares that were set, oldest first."""
        found = []
        for one in self.entries():
            if one["kind"] == "live":
                found.append(one["body"]["event"])
            elif one["kind"] == "traffic":
                found.append(f"{one['body']['share']:.0%} by {one['body']['by']}")
        return found

    def status(self) -> dict[str, Any]:
        return report.status(self.desk, self.name)

    def until(self, ready: Callable[[], object], within: float = 30.0, why: str = "") -> float:
        """Seconds until it is so."""
        began = time.monotonic()
        while not ready():
            assert time.monotonic() - began < within, f"{why or ready}: {self.events()}"
            time.sleep(0.1)
        return time.monotonic() - began

    def until_running(self) -> None:
        def runs() -> bool:
            keeper = hold.look(self.desk.objects, self.name)
            return keeper is not None and keeper.runs

        self.until(runs, why="no controller")

    def until_share(self, share: float, within: float = 30.0) -> float:
        return self.until(lambda: self.traffic.share == share, within, f"share {share}")

    def give(self, share: float) -> Traffic:
        """What a person does."""
        return set_share(self.desk, self.name, share, reason="a person's")


def kill(started: Started) -> Done:
    os.kill(started.pid, signal.SIGKILL)
    return started.wait()
