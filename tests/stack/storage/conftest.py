"""One real SeaweedFS for the session, and bucket names of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from seaweed import Weed, start, stop

from mlflowctl.storage import S3Settings, client


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    """One store per session (under xdist: per worker)."""
    running = start(tmp_path_factory.mktemp("weed"))
    yield running
    stop(running)


@pytest.fixture
def settings(weed: Weed) -> S3Settings:
    """The administrator's settings, with bucket names no other test uses."""
    unique = uuid4().hex[:12]
    return replace(weed.settings, artifact_bucket=f"artifacts-{unique}", registry_bucket=f"registry-{unique}")


@pytest.fixture
def s3(settings: S3Settings):
    return client(settings)
