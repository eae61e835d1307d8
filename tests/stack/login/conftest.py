"""One stack that asks for a login, with a user of each role on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values
from login_world import ROLES, Api, Shared, User, World
from tests.stack.commands import Done, Runner
from tests.stack.conftest import Stack, _end

from mlflowctl.settings import Login
from mlflowctl.stack.layout import Layout

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
SHARED = pytest.mark.xdist_group("login")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one worker: they share the stack."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(SHARED)
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def guarded(folders: Callable[[], Path]) -> Iterator[Stack]:
    """The stack of this folder, with login."""
    stack = Stack(Layout.at(folders() / "with login"))
    try:
        stack.up("--auth")
        yield stack
    finally:
        _end(stack)


@pytest.fixture(scope="session")
def cli(guarded: Stack, runner: Runner) -> Callable[..., Done]:
    """``mlflowctl`` as the administrator runs it."""
    return lambda *arguments, **how: runner.start(guarded.layout.root, *arguments, **how).wait()


@pytest.fixture(scope="session")
def users(
    guarded: Stack, cli: Callable[..., Done], runner: Runner, folders: Callable[[], Path]
) -> dict[str, User]:
    """A user of each role, made as an administrator makes them; ``nobody`` has a login and no role."""
    admin = guarded.context.login
    assert admin is not None
    made = {"admin": User(guarded, admin, {}, runner)}
    for role in ROLES:
        file = folders() / f"{role}.env"
        cli("user", "add", f"a-{role}", "--role", role, "--to", str(file)).expect()
        assert file.stat().st_mode & 0o777 == 0o600
        variables = {key: value or "" for key, value in dotenv_values(file).items()}
        login = Login(variables["MLFLOW_TRACKING_USERNAME"], variables["MLFLOW_TRACKING_PASSWORD"])
        made[role] = User(guarded, login, variables, runner)
    nobody = Login("without-role", "a password without a role")
    answer = made["admin"].api.post("users/create", username=nobody.username, password=nobody.password)
    assert answer.ok, answer.text
    made["nobody"] = User(guarded, nobody, {}, runner)
    return made


@pytest.fixture(scope="session")
def world(guarded: Stack, users: dict[str, User]) -> World:
    """Objects to act on, made by the administrator."""
    return World(users["admin"].api)


@pytest.fixture(scope="session")
def shared(users: dict[str, User]) -> World:
    """The same, but always the same objects: for requests that are refused."""
    return Shared(users["admin"].api)


@pytest.fixture(scope="session")
def anonymous(guarded: Stack) -> Api:
    return Api(guarded.uri, None)
