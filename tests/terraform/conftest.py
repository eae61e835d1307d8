"""What the Terraform tests share. Slow things run once and alone: their tests carry an xdist group."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.terraform import life as lives
from tests.terraform import plans, terraform_cli
from tests.terraform.emulator import Emulator, emulator

TIMEOUT = 900  # one test may wait for a whole apply


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test here the long timeout, and one worker per file: each file starts its own Terraform.

    A file that names a group itself (``pytestmark = pytest.mark.xdist_group(…)``) shares it with others.
    """
    for item in items:
        if "tests/terraform/" not in item.path.as_posix():
            continue
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT))
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"terraform-{item.path.stem}"))


@pytest.fixture(scope="session")
def needs_terraform() -> str:
    """The path of Terraform; skips visibly without it."""
    return terraform_cli.binary()


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    """An emulator of the file's own."""
    with emulator() as started:
        yield started


@pytest.fixture(scope="session")
def example_plans(needs_terraform: str, tmp_path_factory: pytest.TempPathFactory) -> plans.Examples:
    """The plans of the example environments; once for the files of their group."""
    return plans.examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="session")
def life(needs_terraform: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lives.Life]:
    """The environment whose life the files of one group tell."""
    yield from lives.begun(tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="session")
def made_life(life: lives.Life) -> None:
    """That it is made: by the first half of the story, or here."""
    if not life.made:
        life.make()
