"""Models under live test on the shared stack."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
sys.path.insert(0, str(Path(__file__).parents[1] / "promotion"))
sys.path.insert(0, str(Path(__file__).parents[1] / "guard"))

from live_world import LiveWorld
from logged_model import log_a_model
from promotion_world import unique

from mlflowctl.registry.desk import Desk


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def live_source(stack) -> str:
    """A tiny logged model on the shared stack."""
    return log_a_model(stack)


@pytest.fixture
def make_live(stack, runner, live_source, tmp_path) -> Iterator[Callable[..., LiveWorld]]:
    """Make a model with a champion (v1) and a validated challenger (v2), and a policy with a ramp."""

    made: list[LiveWorld] = []

    def make(**policy: object) -> LiveWorld:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        world = LiveWorld(Desk(stack.context), runner, stack.layout.root, live_source, unique("live"), folder)
        answer = world.plain("registered-models/create")
        assert answer.ok, answer.text
        world.write_live(**policy)
        world.promote(*world.versions(1))
        world.challenged()
        made.append(world)
        return world

    yield make
    for one in made:
        one.end()
