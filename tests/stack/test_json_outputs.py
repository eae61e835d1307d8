"""Every ``--json``, run for real: one object on stdout, as ``docs/schemas`` describes it, success or not."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import pytest
import requests

from mlflowctl.database import guard
from mlflowctl.database.connect import admin
from tests.stack import breaking
from tests.stack.side_by_side import usual_ports_held
from tests.unit import reference

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
NOWHERE = {"MLFLOWCTL_DATA_DIR": "", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}


def answer(stack, line: str, *, exits: int = 0, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Run one command with ``--json``; its envelope, which must be as documented."""
    words = line.split()
    done = stack.cli(*words, "--json", env=env)
    assert done.returncode == exits, done.stdout + done.stderr
    name = "config.show" if words[0] == "config" else words[0]
    found = reference.validated(name, done.stdout)
    assert found["ok"] is (exits == 0)
    return found


def failure(stack, line: str, *, exits: int, code: str, env: dict[str, str] | None = None) -> Any:
    """Run one command that must fail in this way; the ``result`` that it still has."""
    found = answer(stack, line, exits=exits, env=env)
    assert found["error"]["code"] == code
    return found["result"]


@pytest.mark.parametrize(
    "line",
    [
        "up",
        "up --dry-run",
        "up --dry-run --exit-code",
        "status",
        "config show",
        "bootstrap",
        "bootstrap --dry-run",
        "bootstrap --dry-run --exit-code",
        "doctor",
        "smoke-test",
    ],
)
def test_a_good_stack_answers_as_documented(stack, line):
    if line == "doctor":
        breaking.forget_models(stack)  # other tests leave models whose ledgers they have broken
    answer(stack, line)


def test_the_life_of_a_stack_is_told_as_documented(new_stack):
    own = new_stack(start=False)
    plan = failure(own, "up --auto-ports --dry-run --exit-code", exits=6, code="findings")
    assert plan["to_do"] > 0
    with usual_ports_held():
        assert answer(own, "up --auto-ports")["result"]["started"] is True
    assert answer(own, "restart")["result"]["started"] is True
    assert answer(own, "smoke-test --keep")["result"]["kept"]
    assert answer(own, "down")["result"]["stopped"] is True
    assert answer(own, "down")["result"]["stopped"] is False
    rows = failure(own, "status", exits=6, code="findings")["components"]
    assert {row["state"] for row in rows} == {"stopped"}
    checks = failure(own, "doctor", exits=6, code="findings")["checks"]
    assert "failed" in {check["verdict"] for check in checks}
    failure(own, "bootstrap", exits=1, code="unavailable")
    with closing(socket.socket()) as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", own.layout.load().ports.mlflow))
        squatter.listen()
        failure(own, "up", exits=2, code="usage")
    failure(own, "smoke-test", exits=6, code="findings")
    failure(own, "down --volumes --confirm wrong", exits=2, code="usage")
    name = own.layout.load().name
    assert answer(own, f"down --volumes --confirm {name}")["result"]["deleted"] is True


@pytest.mark.parametrize("command", ["down", "restart", "status", "config show", "bootstrap", "doctor"])
def test_a_folder_without_a_stack_is_told_as_documented(new_stack, command):
    assert failure(new_stack(start=False), command, exits=2, code="usage") is None


@pytest.mark.parametrize(
    "line", ["up --artifacts nowhere", "bootstrap --guard-level none", "down --confirm x", "up --bogus"]
)
def test_wrong_usage_is_told_as_documented(stack, line):
    assert failure(stack, line, exits=2, code="usage") is None


@pytest.mark.parametrize("line", ["smoke-test", "doctor"])
def test_a_server_that_does_not_answer_is_told_as_documented(stack, line):
    assert failure(stack, line, exits=6, code="findings", env=NOWHERE) is not None


def test_a_registry_that_needs_a_decision_is_told_as_documented(new_stack):
    with usual_ports_held():
        own = new_stack()
    client = f"{own.uri}/api/2.0/mlflow"
    requests.post(f"{client}/registered-models/create", json={"name": "twice"}, timeout=30).raise_for_status()
    for _ in range(2):
        body = {"name": "twice", "source": "s3://elsewhere/m"}
        requests.post(f"{client}/model-versions/create", json=body, timeout=30).raise_for_status()
    with admin(own.context.database) as connection:
        guard.uninstall(connection)
    breaking.execute(own, "UPDATE model_versions SET current_stage = 'Production'")

    found = failure(own, "bootstrap", exits=6, code="findings")
    assert "needs attention" in {step["action"] for step in found["steps"]}
    assert failure(own, "bootstrap --dry-run --exit-code", exits=6, code="findings")["to_do"] > 0
    failure(own, "up", exits=6, code="findings")
    failure(own, "restart", exits=6, code="findings")
    failure(own, "bootstrap --mend", exits=2, code="usage")  # there is nobody to ask
    assert answer(own, "bootstrap --mend --yes")["result"]["changed"] > 0

    # The demo brings the stack up, and stops at the smoke test that does not pass.
    breaking.execute(own, "ALTER TABLE params ADD CONSTRAINT nothing CHECK (false) NOT VALID")
    assert "failed" in {step["verdict"] for step in failure(own, "demo", exits=6, code="findings")["steps"]}


def test_a_damaged_description_is_told_as_documented(new_stack):
    own = new_stack(start=False)
    own.layout.root.mkdir()
    own.layout.config_file.write_text("{")
    for command in ("demo", "up", "status"):
        assert failure(own, command, exits=2, code="usage") is None
    own.layout.config_file.unlink()
