"""Real stacks for the tests: a shared one per worker, and as many of their own as a test wants."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlflowctl.bring_up import context_of
from mlflowctl.serving.serve import stop_all
from mlflowctl.settings import Context
from mlflowctl.stack import up as stack_up
from mlflowctl.stack.layout import Layout
from tests.stack.commands import Runner, Shared
from tests.stack.side_by_side import usual_ports_held

STACK = ("up", "down", "restart", "status", "doctor", "bootstrap", "smoke-test", "env", "config")
FORKED = frozenset((*STACK, "user", "policy", "model", "live"))
COMMAND = [sys.executable, "-m", "mlflowctl.cli.main"]


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment of a user who has exported nothing."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "AWS_", "PG", "CI"))}
    return kept | extra


@dataclass
class Stack:
    """A running embedded stack, and the command line aimed at it."""

    layout: Layout

    @property
    def context(self) -> Context:
        return context_of(self.layout)

    @property
    def uri(self) -> str:
        return self.context.tracking_uri

    def cli(
        self, *arguments: str, env: dict[str, str] | None = None, timeout: float = 480
    ) -> subprocess.CompletedProcess[str]:
        """Run ``mlflowctl`` on this stack in a clean environment.

        Most are forks of a warm process, which saves seconds of imports each. Others start this very program
        once more, or are about how it starts.
        """
        own = {"MLFLOWCTL_DATA_DIR": str(self.layout.root)} | (env or {})
        if arguments[0] in FORKED:
            return Shared.get().run(*arguments, env=own, timeout=timeout)
        return run_cli(*arguments, env=clean_environment() | own, timeout=timeout)

    def json(self, *arguments: str, env: dict[str, str] | None = None) -> dict[str, Any]:
        """The envelope that a command with ``--json`` prints."""
        answer: dict[str, Any] = json.loads(self.cli(*arguments, "--json", env=env).stdout)
        return answer

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.cli("up", "--auto-ports", *arguments)
        assert done.returncode == 0, done.stderr
        return done

    def serving(self, within: float, probe: Callable[[], object] | None = None) -> float:
        """Seconds until the probe (default: an API call) passes; fails after ``within`` seconds."""
        from mlflowctl.stack import health

        check = probe or (lambda: health.tracking_server(self.uri, timeout=2))
        began = time.monotonic()
        while True:
            try:
                check()
                return time.monotonic() - began
            except Exception as exc:
                if time.monotonic() - began > within:
                    raise AssertionError(f"not serving after {within} s") from exc
                time.sleep(0.05)


def run_cli(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None, timeout: float = 480
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=env or clean_environment(),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session", autouse=True)
def usual_ports_are_taken() -> Iterator[None]:
    """Hold 5000, 9000 and 5432, so that no two tests at once want the same port for their stacks."""
    with usual_ports_held():
        yield


@pytest.fixture(scope="session", autouse=True)
def _end_of_commands() -> Iterator[None]:
    yield
    Shared.close()


@pytest.fixture(scope="session")
def runner() -> Runner:
    """What forks commands, where a test wants one to be killed or to go on beside it."""
    return Shared.get()


@pytest.fixture(scope="session")
def folders() -> Iterator[Callable[[], Path]]:
    """Fresh folders that PostgreSQL's unprivileged account can reach (pytest's own are closed)."""
    made: list[Path] = []

    def make() -> Path:
        folder = Path(tempfile.mkdtemp(prefix="mlflowctl-test-"))
        folder.chmod(0o755)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def _end(stack: Stack) -> None:
    stop_all(stack.layout.root)
    if stack.layout.exists():
        stack_up.down(stack.layout)


@pytest.fixture(scope="session")
def stack(folders: Callable[[], Path]) -> Iterator[Stack]:
    """One stack for all tests of a worker; a test leaves it as it found it."""
    shared = Stack(Layout.at(folders() / "shared stack"))
    try:
        shared.up()
        yield shared
    finally:
        _end(shared)


@pytest.fixture
def new_stack(folders: Callable[[], Path]) -> Iterator[Callable[..., Stack]]:
    """Make stacks of the test's own; they are ended after the test."""
    made: list[Stack] = []

    def make(*arguments: str, start: bool = True) -> Stack:
        own = Stack(Layout.at(folders() / "own"))
        made.append(own)
        if start:
            own.up(*arguments)
        return own

    yield make
    for own in made:
        _end(own)
