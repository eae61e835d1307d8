"""A model's way with roles: logged and registered by a trainer, decided by a promoter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from login_world import User, World, unique
from tests.stack.commands import Done
from tests.stack.conftest import Stack, clean_environment

from mlflowctl.registry.desk import Desk

TRAIN = """
import sys, mlflow, numpy
from importlib.metadata import version
from sklearn.linear_model import LogisticRegression
x = numpy.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
mlflow.set_experiment(sys.argv[1])
with mlflow.start_run() as run:
    mlflow.log_metric("accuracy", 0.9)
    model = LogisticRegression().fit(x, [0, 0, 1, 1])
    needs = [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops")]
    made = mlflow.sklearn.log_model(
        model, name="model", input_example=x, registered_model_name=sys.argv[2], pip_requirements=needs
    )
    mlflow.log_text("more", "notes.txt")
loaded = mlflow.sklearn.load_model(f"models:/{sys.argv[2]}/1")
assert (loaded.predict(x) == model.predict(x)).all()
print("models:/" + made.model_id)
"""


@pytest.fixture(scope="module")
def logged(users: dict[str, User]) -> tuple[str, str]:
    """A model that a trainer logged and registered with MLflow's own client: its address, and its name."""
    name = unique("plain-client")
    environment = clean_environment(
        **users["trainer"].variables,
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
    )
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, unique("experiment"), name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1], name


def stage(user: User, name: str) -> str:
    found = user.api.get("model-versions/get", name=name, version="1").json()
    return str(found["model_version"]["current_stage"])


def test_registered_by_a_trainer_decided_by_a_promoter(
    users: dict[str, User], logged: tuple[str, str], guarded: Stack, cli: Callable[..., Done]
) -> None:
    trainer, promoter, name = users["trainer"], users["promoter"], unique("churn")
    registered = trainer.cli("model", "register", name, logged[0], "--json").expect()
    assert registered.json["result"]["version"] == 1
    assert "may not write the ledger" in registered.json["result"]["note"]
    for words in (["stage", name, "1"], ["freeze", name, "--reason", "because"]):
        refused = trainer.cli("model", *words, "--yes")
        assert refused.code == 1, refused.err
        assert "with the keys of a promoter" in refused.err or "takes the role promoter" in refused.err
        assert "Nothing was changed" in refused.err
    assert stage(trainer, name) == "None"
    desk = Desk(guarded.context)
    assert desk.ledger(name).head().number == 0, "a trainer wrote the ledger"

    promoter.cli("model", "stage", name, "1", "--yes").expect()
    assert stage(trainer, name) == "Staging"
    overridden = ["--override-gate", "--reason", "the first champion", "--yes"]
    assert trainer.cli("model", "promote", name, *overridden).code in (1, 2)
    assert stage(trainer, name) == "Staging"


def test_the_ledger_names_who_decided(
    users: dict[str, User], logged: tuple[str, str], guarded: Stack, tmp_path
) -> None:
    promoter, name = users["promoter"], unique("churn")
    policy = tmp_path / "promotion.yaml"
    (tmp_path / "holdout.csv").write_text("a,b,target\n" + "0,1,0\n1,0,0\n2,1,1\n3,0,1\n" * 10)
    policy.write_text(
        f"version: 1\nmodels:\n  {name}:\n    holdout: {{data: holdout.csv, target: target}}\n    metrics:\n"
        "      - {name: accuracy, direction: higher, role: primary, rule: superior}\n"
    )
    promoter.cli("model", "register", name, logged[0]).expect()
    promoter.cli("model", "stage", name, "1", "--yes").expect()
    done = promoter.cli(
        "model", "promote", name, "--policy", str(policy), "--override-gate", "--reason", "the first", "--yes"
    )
    done.expect()
    assert stage(promoter, name) == "Production"
    history = promoter.cli("model", "history", name, "--json").expect().json["result"]
    assert {one["actor"]["name"] for one in history["entries"]} == {promoter.login.username}
    assert json.dumps(history).count('"kind": "mlflow"') or history["entries"][0]["actor"]["kind"] == "mlflow"
    promoter.cli("model", "audit", name).expect()
    alias = users["reader"].api.get("registered-models/alias", name=name, alias="champion")
    assert alias.json()["model_version"]["version"] == "1"
    rolled = users["trainer"].cli("model", "rollback", name, "--yes", "--reason", "x")
    assert rolled.code != 0
    assert stage(promoter, name) == "Production"


def test_what_a_status_tag_of_a_trainer_is_worth(users: dict[str, User], world: World) -> None:
    """Nothing: it cannot be set, and no command would believe it without evidence in the bucket."""
    version = world.version("Staging")
    body = {**version.body, "key": "validation_status", "value": "passed"}
    assert users["trainer"].api.post("model-versions/set-tag", **body).status_code == 403


def test_the_smoke_test_tells_the_role_that_it_takes(users: dict[str, User]) -> None:
    done = users["trainer"].cli("smoke-test")
    assert done.code != 0
    assert "takes the role promoter; 'a-trainer' has role trainer" in done.err
    left = users["admin"].api.get("registered-models/search", filter="name LIKE 'mlflowctl-smoke-%'").json()
    assert not left.get("registered_models")


@pytest.mark.parametrize("who", ["promoter", "admin"])
def test_the_smoke_test_passes(who: str, users: dict[str, User], cli: Callable[..., Done]) -> None:
    done = cli("smoke-test", "--json") if who == "admin" else users[who].cli("smoke-test", "--json")
    steps = {one["name"]: one for one in done.expect().json["result"]["steps"]}
    assert steps["login"]["verdict"] == "ok"
    assert "nobody is refused (401)" in json.dumps(steps["login"])


def test_doctor_looks_at_the_login(cli: Callable[..., Done], users: dict[str, User]) -> None:
    checks = {one["name"]: one["verdict"] for one in cli("doctor", "--json").json["result"]["checks"]}
    assert (checks["authentication"], checks["accounts"]) == ("ok", "ok")
    theirs = {
        one["name"]: one["verdict"]
        for one in users["reader"].cli("doctor", "--json").json["result"]["checks"]
    }
    assert (theirs["authentication"], theirs["accounts"], theirs["buckets"]) == ("ok", "skipped", "skipped")
