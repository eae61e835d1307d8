"""The smoke test on a real stack: it passes, leaves nothing, and fails for the right reason."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

from mlflowctl.client_environment import client_environment
from mlflowctl.database import guard
from mlflowctl.database.connect import admin
from mlflowctl.smoke import cleanup
from mlflowctl.stack import up as stack_up
from mlflowctl.stack.layout import Layout
from tests.stack import breaking, conftest

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("smoke")]
MISLEADING = {
    "MLFLOW_EXPERIMENT_NAME": "somebody else's",
    "MLFLOW_RUN_ID": "0123456789abcdef0123456789abcdef",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "9",
    "AWS_PROFILE": "production",
}


@pytest.fixture(scope="module")
def own(folders):
    """A stack for this file's tests alone: they look at everything in it, and break it."""
    made = conftest.Stack(Layout.at(folders() / "smoke"))
    try:
        made.up()
        yield made
    finally:
        if made.layout.exists():
            stack_up.down(made.layout)


def smoke(stack, *arguments, env=None):
    """Exit code, envelope, and verdict and detail per step."""
    done = stack.cli("smoke-test", "--json", *arguments, env=env)
    answer = json.loads(done.stdout)
    steps = {step["name"]: step for step in answer["result"]["steps"]}
    return done.returncode, answer, steps


def failed(steps):
    return [name for name, step in steps.items() if step["verdict"] == "failed"]


def client_variables(stack, **changes):
    """Client variables only: no folder is named, so the context is made of them."""
    s3 = stack.context.s3
    found = {
        "MLFLOWCTL_DATA_DIR": "",
        "MLFLOW_TRACKING_URI": stack.uri,
        "MLFLOW_S3_ENDPOINT_URL": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.secret_access_key,
    } | changes
    return {name: value for name, value in found.items() if value is not None}


def test_a_good_stack_passes_and_nothing_remains(own, tmp_path):
    before = breaking.contents(own)
    report = tmp_path / "smoke.xml"
    began = time.monotonic()
    done = own.cli("smoke-test", "--junit", str(report), env=MISLEADING)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60  # 10 s on an idle machine; other tests may be running beside
    assert breaking.contents(own) == before
    assert done.stdout.startswith("Smoke test passed: 20 ok, 0 failed, 0 skipped in ")
    lines = done.stderr.splitlines()
    assert lines[0] == f"Testing context local in {own.layout.root} at {own.uri}"
    assert all(line.startswith("  ok ") for line in lines[1:])
    assert len(lines) == 21
    suite = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("20", "0", "0")


def test_client_variables_alone_prove_what_a_client_can(own):
    env = client_variables(
        own, MLFLOW_S3_ENDPOINT_URL=None, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None
    )
    code, answer, steps = smoke(own, env=env | {"MLFLOW_RUN_ID": "f" * 32})
    assert code == 0
    skipped = [name for name, step in steps.items() if step["verdict"] == "skipped"]
    assert skipped == ["buckets", "guard-catalog"]
    assert "names no object store" in steps["buckets"]["detail"]
    assert "no access to the database" in steps["guard-catalog"]["detail"]
    # Soft-deleted rows cannot be removed by a client; the report says so.
    assert any("mlflow gc" in line for line in answer["result"]["remains"])


def test_artifacts_that_clients_fetch_themselves(new_stack):
    code, answer, steps = smoke(new_stack("--artifacts", "direct"), env=MISLEADING)
    assert (code, failed(steps)) == (0, []), answer["error"]


def test_two_at_once_do_not_disturb_each_other(own):
    before = breaking.contents(own)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: smoke(own), range(2)))
    assert [code for code, _, _ in answers] == [0, 0]
    assert breaking.contents(own) == before


def test_what_was_kept_stays_and_what_a_killed_run_left_is_removed_an_hour_later(own):
    before = breaking.contents(own)
    code, answer, _ = smoke(own, "--keep")
    kept = answer["result"]["kept"]
    assert code == 0
    assert set(kept) == {"experiment", "run", "registered model"}
    token = kept["registered model"]
    hours_ago = int((time.time() - 2 * 3600) * 1000)
    breaking.execute(
        own,
        f"UPDATE experiments SET creation_time = {hours_ago} WHERE name = '{token}'",
        f"UPDATE registered_models SET creation_time = {hours_ago} WHERE name = '{token}'",
    )
    assert smoke(own)[2]["leftovers"]["detail"] == "none"
    for table in ("experiment_tags", "registered_model_tags"):
        breaking.execute(own, f"DELETE FROM {table} WHERE key = 'mlflowctl.smoke-test.keep'")
    assert smoke(own)[2]["leftovers"]["detail"] == f"removed 1: {token}"
    assert breaking.contents(own) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_cleans_up(own, number):
    before = breaking.contents(own)
    environment = conftest.clean_environment(MLFLOWCTL_DATA_DIR=str(own.layout.root))
    command = [*conftest.COMMAND, "smoke-test"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "64 MB artifact" in line:
                break
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "error: The smoke test was interrupted." in rest
    assert "state: What it made is removed." in rest
    assert breaking.contents(own) == before


def test_a_dead_server_is_reported_within_seconds(own):
    began = time.monotonic()
    code, answer, steps = smoke(own, env=client_variables(own, MLFLOW_TRACKING_URI="http://127.0.0.1:9"))
    assert time.monotonic() - began < 8
    assert (code, failed(steps)) == (6, ["api"])
    assert "does not answer at http://127.0.0.1:9" in answer["error"]["message"]


def test_the_database_is_down(own):
    with breaking.without_database(own):
        began = time.monotonic()
        code, answer, steps = smoke(own)
        assert time.monotonic() - began < 12
    assert (code, failed(steps)) == (6, ["api"])
    assert "database at 127.0.0.1:" in answer["error"]["message"]
    assert "is down" in answer["error"]["message"]
    assert "mlflowctl up" in answer["error"]["next"]
    assert steps["run"]["verdict"] == "skipped"


def test_the_database_is_down_seen_by_a_client(own):
    with breaking.without_database(own):
        code, answer, _ = smoke(own, env=client_variables(own))
    assert code == 6
    assert "503" in answer["error"]["message"] or "does not answer" in answer["error"]["message"]


def test_the_bucket_is_missing(own):
    with breaking.without_artifact_bucket(own):
        code, answer, steps = smoke(own)
    assert (code, failed(steps)) == (6, ["buckets", "small-artifact"])
    assert "bucket mlflow-artifacts does not exist" in answer["error"]["message"]
    assert answer["error"]["next"] == "mlflowctl bootstrap"
    assert "the artifact bucket does not exist" in steps["small-artifact"]["detail"]
    assert steps["clean-up"]["verdict"] == "ok"
    assert smoke(own)[0] == 0


def test_the_clients_credentials_are_wrong(own):
    code, answer, steps = smoke(own, env=client_variables(own, AWS_SECRET_ACCESS_KEY="wrong"))
    assert (code, failed(steps)) == (6, ["buckets", "clean-up"])
    assert steps["buckets"]["error"]["code"] == "access"
    assert "secret" in answer["error"]["message"]
    assert answer["error"]["next"] == "mlflowctl config show"


def test_the_servers_credentials_are_wrong(own):
    env = client_variables(
        own, MLFLOW_S3_ENDPOINT_URL=None, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None
    )
    with breaking.wrong_server_keys(own):
        code, answer, steps = smoke(own, env=env)
    assert (code, failed(steps)) == (6, ["small-artifact"])
    assert "refuses the credentials of the MLflow server" in answer["error"]["message"]
    assert "mlflowctl restart" in answer["error"]["next"]


def test_the_host_is_not_allowed(own):
    # 127.1 is this machine under a name that the server does not know.
    code, answer, steps = smoke(
        own, env=client_variables(own, MLFLOW_TRACKING_URI=own.uri.replace("127.0.0.1", "127.1"))
    )
    assert (code, failed(steps)) == (6, ["api"])
    assert "does not accept this host name" in answer["error"]["message"]
    assert "allowed hosts" in answer["error"]["next"]


@pytest.mark.parametrize("with_database", [True, False])
def test_the_guard_is_gone(own, with_database):
    with admin(own.context.database) as connection:
        guard.uninstall(connection)
    with breaking.restored(own):
        code, answer, steps = smoke(own, env=None if with_database else client_variables(own))
    assert code == 6
    assert failed(steps) == (["guard-catalog"] if with_database else []) + ["guard-promotion"]
    assert "the predecessor was not archived" in steps["guard-promotion"]["detail"]
    assert answer["error"]["next"] == "mlflowctl bootstrap"
    assert steps["clean-up"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("statement", "step", "detail"),
    [
        (
            "ALTER TABLE model_versions DISABLE TRIGGER mlflowctl_2_protect",
            "guard-champion-deleted",
            None,
        ),
        (
            "DROP TRIGGER mlflowctl_5_settle ON registered_model_aliases",
            "guard-alias-astray",
            "Alias champion could be moved",
        ),
        (
            "ALTER TABLE model_versions DISABLE TRIGGER mlflowctl_3_switch",
            "stages",
            "the guard refused what it must allow",
        ),
        (
            "DROP SCHEMA mlflowctl CASCADE",  # leaves the constraint, the last line
            "guard-promotion",
            "was refused instead of switched to",
        ),
    ],
)
def test_the_guard_is_altered(own, statement, step, detail):
    with breaking.sql(own, statement):
        code, answer, steps = smoke(own)
    assert code == 6
    assert steps["guard-catalog"]["verdict"] == "failed"
    assert "The registry guard is altered" in answer["error"]["message"]
    assert answer["error"]["next"] == "mlflowctl bootstrap"
    if detail:
        assert step in failed(steps)
        assert detail in steps[step]["detail"]


def test_a_removal_is_proved_by_reading_back(own):
    with client_environment(own.context):
        from mlflow import MlflowClient

        client = MlflowClient(own.uri, own.uri)
        experiment = client.create_experiment("mlflowctl-smoke-read-back")
        with pytest.raises(
            cleanup.ProofError, match=f"Still there after its removal: experiment {experiment}"
        ):
            cleanup.prove(client, own.context, cleanup.Removal("mlflowctl-smoke-read-back"))
        cleanup.remove(client, own.context, "mlflowctl-smoke-read-back")
        cleanup.remove(client, own.context, "mlflowctl-smoke-read-back")
