"""Every ``mlflowctl model … --json`` on a real stack: one object as ``docs/schemas`` describes it, always."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlflowctl.registry import leases
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.port import HEAD_TAG
from tests.stack.conftest import Stack, clean_environment
from tests.unit import reference

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
TRAIN = """
import mlflow, pandas
from sklearn.linear_model import LogisticRegression
rows = pandas.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
model = LogisticRegression().fit(rows, [0, 0, 1, 1])
with mlflow.start_run() as run:
    mlflow.sklearn.log_model(
        model, name="model", serialization_format="skops", input_example=rows.head(2),
        signature=mlflow.models.infer_signature(rows, model.predict(rows)),
        pip_requirements=[f"mlflow=={mlflow.__version__}"],
    )
print(f"runs:/{run.info.run_id}/model")
"""
# The model predicts a > 1.5, and the holdout says so too.
HOLDOUT = "a,b,y\n" + "".join(f"{n % 4}.0,{n % 3}.0,{int(n % 4 > 1)}\n" for n in range(600))
METRIC = "- {name: accuracy, role: primary, rule: non-inferior, margin: 0.05, threshold: 0.9}"
IMPOSSIBLE = "- {name: mae, role: primary, rule: non-inferior, margin: 0.05, threshold: -1}"
# Nobody has seen an outcome of the challenger yet.
UNKNOWN = """
    business:
      - {name: sold, source: outcomes, data: outcomes.csv, direction: higher, role: primary}"""
WITH_NAME = (
    "register NAME models:/m-1", "stage NAME 1 --yes", "validate NAME", "approve NAME 1", "plan NAME",
    "promote NAME --yes", "rollback NAME --yes", "archive NAME 1 --yes", "retire NAME",
    "traffic NAME --challenger 5% --yes", "serving NAME --url http://127.0.0.1:9",
    "freeze NAME --reason x", "unfreeze NAME --reason x", "status NAME",
    "history NAME", "champion NAME", "explain NAME", "reconcile NAME --yes", "audit NAME",
)  # fmt: skip
POLICY_READERS = ("validate NAME", "plan NAME", "promote NAME --yes", "register NAME SOURCE")


def strict(text: str) -> Any:
    """JSON as other languages read it: without NaN and infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@dataclass
class Model:
    """A model of one test's own on the shared stack, its policy, and its commands with ``--json``."""

    stack: Stack
    name: str
    source: str
    policy: Path

    def write_policy(self, metrics: str = METRIC) -> None:
        text = f"version: 1\nmodels:\n  {self.name}:\n    holdout: {{data: holdout.csv, target: y}}\n"
        self.policy.write_text(f"{text}    metrics:\n      {metrics}\n")

    def answer(self, line: str, *, exits: int = 0, **env: str) -> dict[str, Any]:
        """The envelope of ``mlflowctl model LINE --json``; NAME and SOURCE in the line are this model's."""
        words = [{"NAME": self.name, "SOURCE": self.source}.get(word, word) for word in shlex.split(line)]
        if words[0] in ("register", "validate", "plan", "apply", "promote"):
            words += ["--policy", str(self.policy)]
        # Where this variable stands it names the person; the server asks for no login.
        done = self.stack.cli("model", *words, "--json", env={"MLFLOW_TRACKING_USERNAME": "Ada", **env})
        assert done.returncode == exits, done.stdout + done.stderr
        strict(done.stdout)
        found = reference.validated(f"model.{words[0]}", done.stdout)
        assert found["ok"] is (exits == 0)
        return found

    def result(self, line: str, **env: str) -> Any:
        """The result of a command that succeeds."""
        return self.answer(line, **env)["result"]

    def failure(self, line: str, exits: int, code: str, **env: str) -> Any:
        """The result that a command still has which fails in this way."""
        found = self.answer(line, exits=exits, **env)
        assert found["error"]["code"] == code
        assert found["error"]["next"], "every failure says what to do next"
        return found["result"]

    def challenger(self) -> int:
        """Register and stage one more version."""
        number = int(self.result("register NAME SOURCE")["version"])
        self.result(f"stage NAME {number} --yes")
        return number

    def champion(self) -> int:
        """One more version, validated and promoted."""
        number = self.challenger()
        assert self.result("validate NAME")["verdict"] == "pass"
        assert self.result("promote NAME --yes")["champion"] == number
        return number


@pytest.fixture(scope="module")
def source(stack: Stack) -> str:
    """A tiny real model, logged as a training script does."""
    env = clean_environment(MLFLOW_TRACKING_URI=stack.uri)
    done = subprocess.run([sys.executable, "-c", TRAIN], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture
def model(stack: Stack, source: str, tmp_path: Path) -> Model:
    (tmp_path / "holdout.csv").write_text(HOLDOUT)
    (tmp_path / "outcomes.csv").write_text("version,request_id,value\n1,a,1\n1,b,0\n2,c,1\n")
    made = Model(stack, f"json-{uuid.uuid4().hex[:8]}", source, tmp_path / "promotion.yaml")
    made.write_policy()
    return made


def test_the_way_of_a_first_version_into_production(model, tmp_path):
    plan = model.failure("register NAME SOURCE --dry-run --exit-code", 6, "findings")
    assert plan["to_do"] == 1
    registered = model.result("register NAME SOURCE")
    assert (registered["stage"], registered["validation_status"]) == ("None", "pending")
    assert model.result("register NAME --adopt 1")["changed"] is False

    assert model.result("stage NAME 1 --dry-run")["to_do"] == 1
    assert model.failure("stage NAME 1 --dry-run --exit-code", 6, "findings")["to_do"] == 1
    assert model.result("stage NAME 1 --yes --reason why")["move"] == "stage"
    assert model.result("stage NAME 1 --yes")["changed"] is False

    assert model.failure("validate NAME --dry-run --exit-code", 6, "findings")["to_do"] == 2
    assert model.result("validate NAME --dry-run")["to_do"] == 2
    found = model.result("validate NAME")
    assert (found["verdict"], found["champion"], len(found["gates"])) == ("pass", None, 1)
    assert model.result("explain NAME")["verdict"] == "pass"

    model.failure("approve NAME 1", 2, "illegal_move")  # Ada proposed it
    bob = {"MLFLOW_TRACKING_USERNAME": "Bob"}
    assert model.failure("approve NAME 1 --dry-run --exit-code", 6, "findings", **bob)["to_do"] == 1
    assert model.result("approve NAME 1 --dry-run", **bob)["to_do"] == 1
    assert model.result("approve NAME 1", **bob)["approved_by"] == ["Bob"]

    saved = tmp_path / "a plan.json"
    assert model.failure("plan NAME --exit-code", 6, "findings")["saved"] is None
    planned = model.result(f"plan NAME --out {shlex.quote(str(saved))}")
    assert (planned["observed"]["challenger"], planned["saved"]) == (1, str(saved))
    apply = f"apply {shlex.quote(str(saved))}"
    assert model.result(f"{apply} --dry-run")["to_do"] == planned["to_do"]
    assert model.failure(f"{apply} --dry-run --exit-code", 6, "findings")["steps"] == planned["steps"]
    assert model.result(f"{apply} --yes")["champion"] == 1
    assert model.result(f"{apply} --yes")["changed"] is False
    assert model.result(f"{apply} --dry-run --exit-code")["to_do"] == 0

    assert model.result("status NAME")["models"][0]["champion"] == 1
    assert model.name in [one["model"] for one in model.result("status")["models"]]
    assert model.result("champion NAME")["champion"] == 1
    entries = model.result("history NAME")["entries"]
    assert (entries[0]["what"], entries[0]["actor"]["name"]) == ("promote v1 (was none)", "Ada")
    assert len(model.result("history NAME -n 2")["entries"]) == 2
    at = shlex.quote(entries[0]["at"])
    assert model.result(f"champion NAME --at {at}")["entry"] == entries[0]["entry"]
    assert model.result("audit NAME")["audits"][0]["findings"] == []


def test_the_way_back_and_out_of_service(model):
    assert (model.champion(), model.challenger()) == (1, 2)
    judged = model.result("validate NAME 2")
    assert judged["gates"][0]["interval"]["rows"] == 600
    assert model.failure("promote NAME --dry-run --exit-code", 6, "findings")["to_do"] == 3
    assert model.result("promote NAME --dry-run")["to_do"] == 3
    promoted = model.result("promote NAME --yes")
    assert (promoted["former_champion"], promoted["champion"]) == (1, 2)

    assert model.failure("rollback NAME --dry-run --exit-code", 6, "findings")["to_do"] == 5
    assert model.result("rollback NAME --dry-run")["to_do"] == 5
    back = model.result("rollback NAME --yes")
    assert (back["former_champion"], back["champion"], back["move"]) == (2, 1, "rollback")
    assert model.result("rollback NAME --yes")["changed"] is False
    assert model.result("rollback NAME --dry-run --exit-code")["to_do"] == 0

    number = model.result("register NAME SOURCE")["version"]
    assert model.failure(f"archive NAME {number} --dry-run --exit-code", 6, "findings")["to_do"] == 1
    assert model.result(f"archive NAME {number} --dry-run")["to_do"] == 1
    archived = model.result(f"archive NAME {number} --yes")
    assert (archived["former_champion"], archived["champion"]) == (1, 1), "archiving changes no champion"
    assert model.result(f"archive NAME {number} --yes")["changed"] is False

    for command, frozen in (("freeze", True), ("unfreeze", False)):
        assert model.failure(f"{command} NAME --dry-run --exit-code", 6, "findings")["to_do"] == 1
        assert model.result(f"{command} NAME --dry-run")["to_do"] == 1
        assert model.result(f"{command} NAME --reason why") == {
            "model": model.name, "frozen": frozen, "changed": True,
        }  # fmt: skip
        assert model.result(f"{command} NAME --reason why")["changed"] is False
        assert model.result(f"{command} NAME --dry-run --exit-code")["to_do"] == 0

    assert model.failure("retire NAME --dry-run --exit-code", 6, "findings")["to_do"] == 1
    model.failure("retire NAME --reason why", 2, "usage")
    model.failure("retire NAME --confirm NAME", 2, "usage")  # without a reason
    retired = model.result("retire NAME --confirm NAME --reason why")
    assert (retired["former_champion"], retired["champion"]) == (1, None)
    assert model.result("retire NAME")["changed"] is False
    assert model.result("champion NAME")["champion"] is None


def test_a_gate_that_fails_or_cannot_decide(model):
    model.write_policy(IMPOSSIBLE)
    model.challenger()
    assert model.failure("validate NAME", 3, "gate_failed")["gates"][0]["verdict"] == "fail"
    for line in ("promote NAME --yes", "plan NAME"):
        assert model.failure(line, 3, "gate_failed") is None
    model.failure("promote NAME --yes --override-gate", 2, "usage")  # without a reason
    assert model.result("explain NAME")["verdict"] == "fail"
    assert model.result("promote NAME --yes --override-gate --reason why")["champion"] == 1

    model.write_policy(METRIC + UNKNOWN)
    model.challenger()
    found = model.failure("validate NAME", 4, "inconclusive")
    assert [one["verdict"] for one in found["gates"]] == ["pass", "inconclusive"]
    for line in ("promote NAME --yes", "plan NAME"):
        assert model.failure(line, 4, "inconclusive") is None


def test_conflicts(model, tmp_path):
    assert (model.champion(), model.challenger()) == (1, 2)
    model.result("validate NAME")
    saved = tmp_path / "plan.json"
    model.result(f"plan NAME --out {saved}")
    model.write_policy(METRIC.replace("0.05", "0.04"))
    assert model.failure(f"apply {saved} --yes", 5, "conflict") is None
    assert model.failure("promote NAME --yes", 5, "conflict") is None
    assert model.failure("rollback NAME --yes --expect-champion 7", 5, "conflict") is None
    number = model.result("register NAME SOURCE")["version"]
    assert model.failure(f"stage NAME {number} --yes --replace 1", 5, "conflict") is None
    assert model.failure(f"stage NAME {number} --yes", 2, "illegal_move") is None

    objects = Desk(model.stack.context).objects
    with leases.held(objects, model.name, Actor("Eve", "os", "elsewhere"), "a test"):
        for line in (f"archive NAME {number} --yes", "freeze NAME --reason x"):
            model.failure(f"{line} --lease-wait 0", 5, "lease_held")
        broken = "reconcile NAME --break-lease --reason x"
        assert (
            model.failure(f"{broken} --dry-run --exit-code", 6, "findings")["steps"][0]["target"] == "lease"
        )
        assert model.failure(broken, 2, "usage") is None  # there is nobody to ask
        assert model.result(f"{broken} --yes") is not None


def test_a_registry_changed_behind_the_ledger(model):
    model.champion()
    assert model.result("reconcile NAME --yes") == {"steps": [], "changed": 0}
    registry = Desk(model.stack.context).registry
    number = model.result("register NAME SOURCE")["version"]
    registry.move(model.name, number, "Production")
    assert model.failure("reconcile NAME --dry-run --exit-code", 6, "findings")["to_do"] > 0
    assert model.result("reconcile NAME --dry-run")["to_do"] > 0
    assert "foreign" in {one["kind"] for one in _findings(model)}
    assert model.failure("reconcile NAME", 2, "usage") is None  # there is nobody to ask
    assert model.result("reconcile NAME --yes")["changed"] > 0
    assert model.result("audit NAME")["audits"][0]["findings"] == []

    registry.tag_model(model.name, HEAD_TAG, f"999 {'0' * 64}")
    assert {one["kind"] for one in _findings(model)} == {"truncated"}
    left = model.failure("reconcile NAME --yes", 6, "findings")
    assert [step["action"] for step in left["steps"]] == ["needs attention"]


def _findings(model: Model) -> list[dict[str, Any]]:
    audits = model.failure("audit NAME", 6, "findings")["audits"]
    return [finding for audit in audits for finding in audit["findings"]]


@pytest.mark.parametrize("line", WITH_NAME, ids=lambda line: line.split()[0])
def test_an_unknown_model(model, line):
    assert model.failure(line, 2, "not_found") is None


@pytest.mark.parametrize("version", ["0", "99", "two"])
@pytest.mark.parametrize("command", ["stage NAME {} --yes", "validate NAME {}", "archive NAME {} --yes"])
def test_a_version_that_cannot_be(model, command, version):
    code = "not_found" if version == "99" else "usage"
    assert model.failure(command.format(version), 2, code) is None


@pytest.mark.parametrize("line", [*WITH_NAME, "apply FILE --yes"], ids=lambda line: line.split()[0])
def test_wrong_usage(model, line):
    assert model.failure(f"{line} --context nowhere", 2, "usage") is None


@pytest.mark.parametrize("mistake", ["--bogus", "--data-dir /dev/null", "two many", "--at 2999-01-01"])
def test_wrong_usage_of_any_other_kind(model, mistake):
    assert model.failure(f"champion NAME {mistake}", 2, "usage") is None


@pytest.mark.parametrize("line", POLICY_READERS, ids=lambda line: line.split()[0])
def test_a_policy_with_mistakes_is_refused_with_all_of_them(model, line):
    model.policy.write_text("version: 2\nmodels: {}\n")
    assert len(model.failure(line, 2, "usage")["problems"]) > 1


@pytest.mark.parametrize("line", POLICY_READERS[:3], ids=lambda line: line.split()[0])
def test_no_policy(model, line):
    model.policy.unlink()
    assert model.failure(line, 2, "usage") is None
    model.write_policy()
    model.policy.write_text(model.policy.read_text().replace(model.name, "another"))
    found = model.answer(line, exits=2)
    assert (found["error"]["code"], found["result"]) == ("usage", None)
    assert "has no policy for model" in found["error"]["message"]


@pytest.mark.parametrize("content", [None, "{}", "no JSON", "[]"])
def test_a_plan_that_cannot_be_read(model, tmp_path, content):
    plan = tmp_path / "plan.json"
    if content is not None:
        plan.write_text(content)
    assert model.failure(f"apply {plan} --yes", 2, "usage") is None


def test_what_cannot_be_written_is_refused_before_the_work(model):
    model.challenger()
    assert model.failure("validate NAME --report /nowhere/report.html", 2, "usage") is None
    model.result("validate NAME")
    assert model.failure("plan NAME --out /nowhere/plan.json", 2, "usage") is None


@pytest.mark.parametrize("asks", ["stage NAME 1", "archive NAME 1"])
def test_without_a_terminal_the_flag_that_answers_is_named(model, asks):
    model.result("register NAME SOURCE")
    found = model.answer(asks, exits=2)
    assert (found["error"]["code"], found["error"]["next"]) == ("usage", "Add --yes.")
    assert found["error"]["state"] == "Nothing was changed."


def test_promote_rollback_and_apply_ask_too(model, tmp_path):
    model.champion()
    model.challenger()
    model.result("validate NAME")
    plan = tmp_path / "plan.json"
    model.result(f"plan NAME --out {plan}")
    for line in ("promote NAME", f"apply {plan}"):
        assert model.answer(line, exits=2)["error"]["next"] == "Add --yes."
    model.result("promote NAME --yes")
    assert model.answer("rollback NAME", exits=2)["error"]["next"] == "Add --yes."


@pytest.mark.parametrize("line", WITH_NAME[-7:], ids=lambda line: line.split()[0])
def test_a_server_that_does_not_answer(model, line):
    nowhere = {"MLFLOWCTL_DATA_DIR": "", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    needs_no_server = line.split()[0] in ("history", "explain", "audit", "unfreeze", "reconcile")
    exits, code = (2, "usage") if needs_no_server else (1, "unavailable")
    assert model.failure(line, exits, code, **nowhere) is None


def test_no_command_is_left_out():
    tried = {line.split()[0] for line in (*WITH_NAME, "apply")}
    documented = {one.stem.removeprefix("model.") for one in reference.SCHEMAS.glob("model.*.json")}
    assert tried == documented
