"""Models on the shared stack, and a stack of this folder's own for whatever is killed or stopped."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The replay of the write-ahead log is the guard's own.
sys.path.insert(0, str(Path(__file__).parents[1] / "guard"))

from logged_model import log_a_model
from promotion_world import World, unique
from tests.stack.commands import Runner

from mlflowctl.registry.desk import Desk
from mlflowctl.stack.layout import Layout


@pytest.fixture(scope="session")
def tiny(stack) -> str:
    """A logged model on the shared stack."""
    return log_a_model(stack)


@pytest.fixture(scope="session")
def own(folders: Callable[[], Path]):
    """A stack whose parts may be killed; PostgreSQL writes what the replay of its log needs."""
    from promotion_wal import log_everything
    from tests.stack.conftest import Stack, _end

    stack = Stack(Layout.at(folders() / "own"))
    try:
        stack.up()
        log_everything(stack)
        yield stack
    finally:
        _end(stack)


@pytest.fixture(scope="session")
def own_tiny(own) -> str:
    return log_a_model(own)


def _maker(stack, runner: Runner, source: str, tmp_path: Path) -> Callable[..., World]:
    def make(versions: int = 0, name: str = "", champions: int = 0, **policy: object) -> World:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        world = World(Desk(stack.context), runner, stack.layout.root, source, name or unique(), folder)
        answer = world.plain("registered-models/create")
        assert answer.ok, answer.text
        world.write_policy(**policy)
        made = world.versions(versions)
        world.promote(*made[:champions])
        return world

    return make


@pytest.fixture
def make_model(stack, runner: Runner, tiny: str, tmp_path: Path) -> Callable[..., World]:
    """Make a model on the shared stack: so many versions, the first ones champions one after the other."""
    return _maker(stack, runner, tiny, tmp_path)


@pytest.fixture
def make_own_model(own, runner: Runner, own_tiny: str, tmp_path: Path) -> Callable[..., World]:
    """The same on this folder's own stack."""
    return _maker(own, runner, own_tiny, tmp_path)
