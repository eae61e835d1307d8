"""Login turned on and off, bootstraps that race or die, and a server that waits for its tables."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from login_world import Api, World
from tests.stack.commands import Runner
from tests.stack.conftest import Stack, _end

from mlflowctl.database.connect import Database, admin, connect_as_app
from mlflowctl.login import accounts
from mlflowctl.plan import Action, pending
from mlflowctl.settings import Login
from mlflowctl.stack import tracking_server
from mlflowctl.stack.layout import Layout

ADMIN = Login("admin", "the administrator's password")
TABLES = (
    "alembic_version_auth, users, roles, role_permissions, user_role_assignments, experiment_permissions, "
    "registered_model_permissions, scorer_permissions, workspace_permissions, gateway_secret_permissions, "
    "gateway_endpoint_permissions, gateway_model_definition_permissions"
)
# One warm process that forks bootstraps: a line with their number starts them, an empty one waits for them.
BOOTSTRAPS = """
import json, os, sys
import mlflow.server.auth.db.utils
from mlflowctl.bring_up import context_of
from mlflowctl.login import accounts
from mlflowctl.settings import Login
from mlflowctl.stack.layout import Layout

def bootstrap():
    for step in accounts.plan(database, Login("admin", "the administrator's password")):
        if step.effective:
            accounts.apply(step, database)

database = context_of(Layout.at(sys.argv[1])).database
print(json.dumps("ready"), flush=True)
children = []
for line in sys.stdin:
    if not line.strip():
        print(json.dumps([os.waitpid(child, 0)[1] for child in children]), flush=True)
        children = []
        continue
    for _ in range(int(line)):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                bootstrap()
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    print(json.dumps(children), flush=True)
"""


class Bootstraps:
    """Bootstraps of the login of one stack, in forks."""

    def __init__(self, stack: Stack) -> None:
        command = [sys.executable, "-W", "ignore", "-c", BOOTSTRAPS, str(stack.layout.root)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._answer() == "ready"

    def _answer(self) -> Any:
        return json.loads(self.process.stdout.readline())

    def start(self, count: int) -> list[int]:
        """Start so many at once; their process ids."""
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return self._answer()

    def wait(self) -> list[int]:
        """How each ended, as ``os.waitpid`` tells."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture(scope="module")
def plain(folders: Callable[[], object]) -> Iterator[Stack]:
    """A stack without login, at first."""
    stack = Stack(Layout.at(folders() / "plain"))
    try:
        stack.up()
        yield stack
    finally:
        _end(stack)


@pytest.fixture
def database(plain: Stack) -> Iterator[Database]:
    """The database without the login's tables, before and afterwards."""
    found = plain.context.database
    _drop(found)
    yield found
    _drop(found)


def _drop(database: Database) -> None:
    with closing(connect_as_app(database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLES} CASCADE")


def standing(database: Database) -> tuple[int, int, int]:
    """How many administrators, roles and grants there are."""
    with admin(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM users WHERE is_admin), (SELECT count(*) FROM roles), "
            "(SELECT count(*) FROM role_permissions)"
        )
        return cursor.fetchone()


@pytest.fixture(scope="module")
def bootstraps(plain: Stack) -> Iterator[Bootstraps]:
    made = Bootstraps(plain)
    yield made
    made.close()


def test_bootstraps_at_once_leave_one_of_everything(bootstraps: Bootstraps, database: Database) -> None:
    bootstraps.start(3)
    assert bootstraps.wait() == [0, 0, 0]
    assert standing(database) == (1, 3, 12)
    assert not pending(accounts.plan(database, ADMIN))


def test_a_bootstrap_killed_anywhere_is_finished_by_the_next(
    bootstraps: Bootstraps, database: Database
) -> None:
    for moment in (0.02, 0.1, 0.25, 0.5):
        (victim,) = bootstraps.start(1)
        time.sleep(moment)
        os.kill(victim, signal.SIGKILL)
        bootstraps.wait()
    bootstraps.start(1)
    assert bootstraps.wait() == [0]
    assert standing(database) == (1, 3, 12)
    assert not pending(accounts.plan(database, ADMIN))


def test_bootstrap_mends_what_was_changed(database: Database) -> None:
    for step in accounts.plan(database, ADMIN):
        accounts.apply(step, database)
    with closing(connect_as_app(database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("UPDATE role_permissions SET permission = 'MANAGE' WHERE permission = 'READ'")
        cursor.execute("UPDATE users SET is_admin = false")
    found = accounts.plan(database, Login(ADMIN.username, "a password changed on file"))
    assert [(one.target, one.detail) for one in pending(found)] == [
        ("login admin", "its password is not the one on file; it is no administrator"),
        ("role reader", "its grants are not those of this release"),
    ]
    for step in pending(found):
        accounts.apply(step, database)
    assert all(one.action is Action.UNCHANGED for one in accounts.plan(database, found[1].login))


def test_bootstrap_keeps_model_servers_a_reader_and_no_more(database: Database) -> None:
    reader = Login("mlflowctl-serving", "the password of model servers")
    for step in accounts.plan(database, ADMIN, reader):
        accounts.apply(step, database)
    assert not pending(accounts.plan(database, ADMIN, reader))
    with closing(connect_as_app(database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO user_role_assignments (user_id, role_id) SELECT u.id, r.id FROM users u, roles r"
            " WHERE u.username = %s AND r.name = 'promoter'",
            (reader.username,),
        )
        cursor.execute("UPDATE users SET is_admin = true WHERE username = %s", (reader.username,))
    (step,) = pending(accounts.plan(database, ADMIN, reader))
    assert (step.target, step.detail) == ("login mlflowctl-serving", "it is more or less than a reader")
    accounts.apply(step, database)
    (step,) = pending(accounts.plan(database, ADMIN, Login(reader.username, "another password on file")))
    assert step.detail == "its password is not the one on file"
    assert not pending(accounts.plan(database, ADMIN, reader))


def test_the_server_waits_for_tables_and_administrator(plain: Stack, database: Database) -> None:
    """It neither migrates nor makes an administrator; while it waits, its port is closed."""
    port = plain.layout.load().ports.mlflow + 1
    key = plain.layout.scratch / "session.key"
    key.write_text("signs the forms")
    environment = tracking_server.environment(plain.layout, plain.layout.load()) | {
        "MLFLOWCTL_SESSION_KEY_FILE": str(key),
        "MLFLOWCTL_BIND": f"127.0.0.1:{port}",
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port}",
    }
    log = plain.layout.scratch / "waiting.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            tracking_server.command(login=True),
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        tables, *accounts_ = accounts.plan(database, ADMIN)
        _until(lambda: "waiting for the login's tables" in log.read_text())
        accounts.apply(tables, database)
        _until(lambda: "waiting for the first administrator" in log.read_text())
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
        assert standing(database)[0] == 0
        for step in accounts_:
            accounts.apply(step, database)
        _until(lambda: _answers(port))
        assert Api(f"http://127.0.0.1:{port}", ADMIN).get("experiments/search", max_results=1).ok
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def _until(true: Callable[[], bool], within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_login_turned_on_and_off_keeps_everything(plain: Stack, runner: Runner) -> None:
    """Last of those on this stack."""
    before = World(Api(plain.uri, None)).version("Production").body
    plan = plain.cli("up", "--auth", "--dry-run").stdout
    assert "off → on" in plan
    assert "secret mlflow-admin.password" in plan
    no_users = runner.start(plain.layout.root, "user", "list").wait()
    assert (no_users.code, "it asks nobody to log in" in no_users.err) == (2, True)
    plain.up("--auth")
    api = Api(plain.uri, plain.context.login)
    assert Api(plain.uri, None).get("model-versions/get", **before).status_code == 401
    found = api.get("model-versions/get", **before).json()["model_version"]
    assert found["current_stage"] == "Production"
    added = runner.start(plain.layout.root, "user", "add", "rae", "--role", "reader", "--print")
    added.wait().expect()
    plain.up("--no-auth")
    assert plain.context.login is None
    assert Api(plain.uri, None).get("model-versions/get", **before).ok
    with admin(plain.context.database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT username FROM users ORDER BY username")
        assert cursor.fetchall() == [("admin",), ("rae",)]


def test_the_guard_stands_in_front_of_administrators_too(guarded: Stack, world: World) -> None:
    champion = world.version("Production")
    second = world.version("Production", model=champion.name)
    answer = world.admin.delete("model-versions/delete", **second.body)
    assert (answer.status_code, "mlflowctl guard [champion-kept]" in answer.text) == (400, True)
    stages = [
        one["current_stage"]
        for one in world.admin.get("model-versions/search", filter=f"name='{champion.name}'").json()[
            "model_versions"
        ]
    ]
    assert sorted(stages) == ["Archived", "Production"]
