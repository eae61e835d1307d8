"""One stack with models and promotions, whose set every test may use, and one that is restored into."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Models with promotions are made as the tests of promotions make them.
sys.path.insert(0, str(Path(__file__).parents[1] / "promotion"))

from backup_world import log_a_model
from promotion_world import World, unique
from tests.stack.commands import Runner
from tests.stack.conftest import Stack, _end

from mlflowctl.registry.desk import Desk
from mlflowctl.stack.layout import Layout

MODEL = "churn model ä"


@dataclass
class Source:
    """A stack with a model that was promoted twice, and a place with one set of that moment."""

    stack: Stack
    world: World
    place: Path


def _started(folders: Callable[[], Path], name: str) -> Iterator[Stack]:
    made = Stack(Layout.at(folders() / name))
    try:
        made.up()
        yield made
    finally:
        _end(made)


@pytest.fixture(scope="session")
def _source_stack(folders: Callable[[], Path]) -> Iterator[Stack]:
    yield from _started(folders, "source")


@pytest.fixture(scope="session")
def target(folders: Callable[[], Path]) -> Iterator[Stack]:
    """A stack that is restored into, by one test after the other."""
    yield from _started(folders, "target")


@pytest.fixture(scope="session")
def make_world(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., World]:
    """A new registered model on a stack."""

    def make(stack: Stack, address: str, name: str = "") -> World:
        folder = tmp_path_factory.mktemp("policy")
        made = World(Desk(stack.context), runner, stack.layout.root, address, name or unique(), folder)
        assert made.plain("registered-models/create").ok
        made.write_policy()
        return made

    return make


@pytest.fixture(scope="session")
def source(
    _source_stack: Stack,
    runner: Runner,
    folders: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Source:
    stack = _source_stack
    address = log_a_model(stack)
    world = World(
        Desk(stack.context), runner, stack.layout.root, address, MODEL, tmp_path_factory.mktemp("policy")
    )
    assert world.plain("registered-models/create").ok
    world.write_policy()
    world.promote(*world.versions(2))
    world.versions(1)
    place = folders() / "sets"
    done = stack.cli("backup", "--to", str(place))
    assert done.returncode == 0, done.stderr
    return Source(stack, world, place)
