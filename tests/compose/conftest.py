"""One Docker engine for all tests in this folder; they run in one worker, one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose import engine as engines
from tests.compose import standin_images
from tests.compose.client import Engine
from tests.compose.lives import built, cold_start, life, make_project, new_project, project_folders

__all__ = ["built", "cold_start", "life", "make_project", "new_project", "project_folders"]

HERE = Path(__file__).parent
# The first test of a run pays for installing the engine and making the base images.
TIMEOUT = 1800


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test here; before xdist reads the groups."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.xdist_group("compose"))
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine with Compose v2 and every base image."""
    with engines.running() as found:
        if found is None:
            pytest.skip(engines.NO_ENGINE)
        if names := standin_images.in_use(found):
            warnings.warn(f"stand-ins, not the real images: {', '.join(names)}", stacklevel=1)
        yield found
