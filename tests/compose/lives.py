"""Fixtures: one Compose project that most tests share, and as many of their own as a test wants."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compose.client import Engine
from tests.compose.projects import ComposeProject, make

IMAGE = "mlflowctl:test"  # beside what a developer may have built under the usual name


@pytest.fixture(scope="session")
def project_folders() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mlflowctl compose "))  # a name with spaces, as users have
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_project(engine: Engine, project_folders: Path) -> Iterator[Callable[[str], ComposeProject]]:
    """Make projects, set up and not started; all are removed with their volumes at the end."""
    made: list[ComposeProject] = []
    taken: set[int] = set()

    def build(name: str) -> ComposeProject:
        project = make(engine, project_folders / name, f"{name}-{os.getpid()}")
        project.set_variable("MLFLOW_IMAGE", IMAGE)
        # Not started yet, so another project might be given the same free ports.
        for variable, port in zip(
            ("MLFLOW_PORT", "S3_PORT", "SERVING_PORT"), _free_ports(taken), strict=True
        ):
            project.set_variable(variable, str(port))
        made.append(project)
        return project

    yield build
    for project in made:
        project.down("--volumes", "--timeout", "5")


def _free_ports(taken: set[int]) -> list[int]:
    """Three free ports that were not given out before."""
    found: list[int] = []
    while len(found) < 3:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in taken:
            taken.add(port)
            found.append(port)
    return found


@pytest.fixture
def make_project(new_project: Callable[[str], ComposeProject]) -> Callable[[str], ComposeProject]:
    return new_project


@pytest.fixture(scope="session")
def built(new_project: Callable[[str], ComposeProject]) -> ComposeProject:
    """The shared project with its image built, not started."""
    project = new_project("life")
    project.compose("build", timeout=1500)
    return project


@pytest.fixture(scope="session")
def cold_start(built: ComposeProject) -> float:
    """Seconds from nothing to a project that serves, measured in this run."""
    return built.up()


@pytest.fixture(scope="session")
def life(built: ComposeProject, cold_start: float) -> ComposeProject:
    """The shared project, serving; a test leaves it as it found it."""
    assert cold_start > 0
    return built
