"""The deep health probe: it tells nothing, asks seldom, hangs never, and logs each change once."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time

import pytest

from mlflowctl.stack import deep_health
from mlflowctl.stack.deep_health import Check, DeepHealth


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep_health, "LIMIT", 0.3)
    monkeypatch.setattr(deep_health, "KEEP", 0.2)


class Thing:
    """Something that is asked: counts, and fails or hangs on demand."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.free = threading.Event()
        self.free.set()

    def __call__(self) -> None:
        self.asked += 1
        self.free.wait(10)
        if self.error:
            raise self.error


def health(thing: Thing) -> DeepHealth:
    return DeepHealth([Check("database", thing)])


async def answer(probe: DeepHealth) -> tuple[int, dict[str, str]]:
    response = await probe.endpoint(None)  # type: ignore[arg-type]
    return response.status_code, json.loads(response.body)


def test_well_is_200_and_failing_is_503_without_any_detail():
    thing = Thing()

    async def ask() -> None:
        probe = health(thing)
        assert await answer(probe) == (200, {"status": "ok"})
        thing.error = OSError("password authentication failed for user mlflow")
        await asyncio.sleep(0.25)
        assert await answer(probe) == (503, {"status": "failing"})

    asyncio.run(ask())


def test_a_hundred_questions_at_once_are_one_to_the_database():
    thing = Thing()

    async def ask() -> None:
        probe = health(thing)
        await asyncio.gather(*(answer(probe) for _ in range(100)))
        await answer(probe)

    asyncio.run(ask())
    assert thing.asked == 1


def test_a_hanging_database_is_failing_in_time_and_never_asked_twice():
    thing = Thing()
    thing.free.clear()

    async def ask() -> None:
        probe = health(thing)
        ticks = asyncio.create_task(ticking())
        for _ in range(3):
            began = time.monotonic()
            assert (await answer(probe))[0] == 503
            assert time.monotonic() - began < 0.6
            await asyncio.sleep(0.25)
        assert thing.asked == 1
        thing.free.set()
        await asyncio.sleep(0.25)
        assert (await answer(probe))[0] == 200
        ticks.cancel()
        assert max(gaps) < 0.2, "the event loop went on"

    gaps: list[float] = [0.0]

    async def ticking() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    asyncio.run(ask())


def test_the_log_tells_each_change_once(caplog):
    thing = Thing()

    async def ask() -> None:
        probe = health(thing)
        for error in (None, OSError("away\nmore"), OSError("away"), None):
            thing.error = error
            await answer(probe)
            await asyncio.sleep(0.25)

    with caplog.at_level(logging.WARNING, "mlflowctl.server"):
        asyncio.run(ask())
    assert [record.getMessage() for record in caplog.records] == [
        "deep health: database: away",
        "deep health: ok again",
    ]


def test_only_an_s3_destination_is_looked_at():
    environ = {"_MLFLOW_SERVER_FILE_STORE": "postgresql+psycopg2://mlflow@nowhere/mlflow"}
    s3 = deep_health.checks(environ | {"_MLFLOW_SERVER_ARTIFACT_DESTINATION": "s3://bucket"})
    assert [check.name for check in s3] == ["database", "object store"]
    local = deep_health.checks(environ | {"_MLFLOW_SERVER_ARTIFACT_DESTINATION": "/somewhere"})
    assert [check.name for check in local] == ["database"]
