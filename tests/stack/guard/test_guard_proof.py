"""The proof: plain clients do what they like for ten thousand changes, and every single commit is checked."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from guard_clients import RENAMED, STEADY, Client, Tally, mlflow_server, run
from guard_registry import Registry
from guard_wal import Replay

from mlflowctl.database import guard

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ATTEMPTS = 10_000
ATTEMPTS_WITHOUT = 400


def test_every_commit_has_exactly_one_champion_with_the_guard_and_not_without(
    registry: Registry, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    with mlflow_server(registry.cluster.url(registry.name)) as url:
        setup = Client(url, 0, Tally())
        for model in (*STEADY, RENAMED[0]):
            setup.register(model)
        began = time.monotonic()
        tally, replay = recorded(registry, url, ATTEMPTS, setup.tally)
        seconds = time.monotonic() - began

        guard.uninstall(registry.admin)
        _, unguarded = recorded(registry, url, ATTEMPTS_WITHOUT, tally)

    line = (
        f"{summary(tally, replay, seconds)}; without the guard {unguarded.broken_commits} of "
        f"{unguarded.commits} commits in violation"
    )
    record_property("guard proof", line)
    with capsys.disabled():
        print(f"\n{line}")
    assert replay.violations == []
    assert tally.unexpected == []
    assert tally.attempts >= ATTEMPTS
    assert replay.commits > ATTEMPTS / 4
    ordinary = {
        outcome for kind, outcome in tally.outcomes if kind in ("promote (steady)", "then promote (steady)")
    }
    assert ordinary <= {"done", "no such name", "version-deleted"}, "an ordinary promotion was refused"
    assert tally.percentile(0.99) < 1.0
    assert unguarded.violations, "the checker finds nothing even without the guard: it proves nothing"


def recorded(registry: Registry, url: str, attempts: int, before: Tally) -> tuple[Tally, Replay]:
    """Run the clients, then replay and check everything that was committed meanwhile."""
    replay = Replay.begin(registry)
    tally = run(url, attempts, before.versions)
    replay.finish(registry)
    return tally, replay


def summary(tally: Tally, replay: Replay, seconds: float) -> str:
    return (
        f"guard proof: {tally.attempts} attempts by 8 clients in {seconds:.0f} s, "
        f"{replay.commits} commits checked, {len(replay.violations)} violations; "
        f"promotions p50 {tally.percentile(0.5) * 1000:.0f} ms, "
        f"p99 {tally.percentile(0.99) * 1000:.0f} ms; not done: {tally.refusals()}"
    )
