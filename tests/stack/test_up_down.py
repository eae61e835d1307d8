"""``up``, ``down``, ``restart``, ``status``, ``logs``, ``env``: one folder, one command."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import requests

from mlflowctl.stack import supervisor
from mlflowctl.stack.layout import Layout
from tests.stack.conftest import COMMAND, clean_environment, run_cli

pytestmark = pytest.mark.stack
API = "/api/2.0/mlflow/"


def create_experiment(uri: str, name: str) -> str:
    answer = requests.post(uri + API + "experiments/create", json={"name": name}, timeout=30)
    answer.raise_for_status()
    return answer.json()["experiment_id"]


def test_a_stopped_stack_keeps_its_data_and_its_ports(new_stack):
    own = new_stack()
    ports = own.layout.load().ports
    create_experiment(own.uri, "kept")
    stopped = own.cli("down")
    assert stopped.returncode == 0
    assert "its data is kept" in stopped.stdout
    assert supervisor.orphans(own.layout) == {}
    assert all(process is None for process in supervisor.components(own.layout).values())

    own.up()

    assert own.layout.load().ports.public() == ports.public()
    found = requests.get(own.uri + API + "experiments/get-by-name?experiment_name=kept", timeout=30)
    assert found.status_code == 200


def test_up_prints_a_line_per_component_and_returns_when_the_api_answers(new_stack):
    own = new_stack(start=False)
    done = own.up()
    for component in ("postgres", "object-store", "mlflow"):
        assert any(
            line.strip().startswith(component) and "ready after" in line for line in done.stderr.splitlines()
        )
    assert requests.get(own.uri + API + "registered-models/search", timeout=10).status_code == 200


def test_a_second_up_finds_nothing_to_do(stack):
    pids = {name: process.pid for name, process in supervisor.components(stack.layout).items()}
    done = stack.cli("up")
    assert done.returncode == 0
    assert "up already; nothing to do" in done.stdout
    assert pids == {name: process.pid for name, process in supervisor.components(stack.layout).items()}


def test_two_ups_at_once_make_one_stack(new_stack):
    own = new_stack(start=False)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: own.cli("up", "--auto-ports"), range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert own.cli("status").returncode == 0


def test_the_plan_is_printed_and_nothing_is_made(new_stack):
    own = new_stack(start=False)
    plan = own.cli("up", "--dry-run", "--exit-code")
    assert plan.returncode == 6
    assert "process mlflow" in plan.stdout
    assert not own.layout.root.exists()


def test_a_running_stack_has_an_empty_plan(stack):
    plan = stack.cli("up", "--dry-run", "--exit-code")
    assert plan.returncode == 0, plan.stdout
    assert "Nothing to do." in plan.stdout


def test_a_taken_port_is_named_with_its_holder_and_the_flag(new_stack):
    own = new_stack(start=False)
    with closing(socket.socket()) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", 5000))
            holder.listen()
        except OSError:
            pass  # somebody else holds it; just as good
        refused = own.cli("up")
    assert refused.returncode == 2
    assert "Port 5000 (for mlflow) is taken by" in refused.stderr
    assert "--auto-ports" in refused.stderr
    assert "Nothing was started." in refused.stderr
    assert not own.layout.config_file.exists()


def test_two_stacks_side_by_side_share_nothing(stack, new_stack):
    own = new_stack()
    create_experiment(own.uri, "only here")
    elsewhere = requests.get(
        stack.uri + API + "experiments/get-by-name?experiment_name=only here", timeout=30
    )
    assert elsewhere.status_code == 404
    mine, theirs = own.layout.load().ports, stack.layout.load().ports
    assert not set(mine.public().values()) & set(theirs.public().values())
    assert not set(mine.store.values()) & set(theirs.store.values())
    assert own.context.s3.secret_access_key != stack.context.s3.secret_access_key


def test_data_is_removed_only_when_the_stacks_name_is_typed(new_stack):
    own = new_stack()
    for arguments in ((), ("--confirm", "another")):
        refused = own.cli("down", "--volumes", *arguments)
        assert refused.returncode == 2
        assert "Nothing was stopped or deleted." in refused.stderr
        assert own.cli("status").returncode == 0
    removed = own.cli("down", "--volumes", "--confirm", own.layout.load().name)
    assert removed.returncode == 0
    assert not own.layout.root.exists()


def test_status_says_what_serves_and_exits_6_when_something_does_not(new_stack):
    own = new_stack()
    good = own.json("status")
    assert good["ok"]
    assert {row["name"]: row["state"] for row in good["result"]["components"]} == dict.fromkeys(
        ("postgres", "object-store", "mlflow"), "serving"
    )
    own.cli("down")
    bad = own.cli("status", "--json")
    assert bad.returncode == 6
    envelope = json.loads(bad.stdout)
    assert not envelope["ok"]
    assert {row["state"] for row in envelope["result"]["components"]} == {"stopped"}
    assert envelope["error"]["next"] == "mlflowctl up"


@pytest.mark.parametrize("command", ["down", "restart", "status", "logs"])
def test_a_folder_without_a_stack_is_a_clear_error(tmp_path, command):
    refused = run_cli(command, "--data-dir", str(tmp_path / "nothing here"))
    assert refused.returncode == 2
    assert "There is no stack in" in refused.stderr
    assert "mlflowctl up --data-dir" in refused.stderr


def test_a_damaged_description_is_a_clear_error(tmp_path):
    (tmp_path / "stack.json").write_text('{"name": ')
    refused = run_cli("status", "--data-dir", str(tmp_path))
    assert refused.returncode == 2
    assert "is damaged" in refused.stderr


def test_restart_brings_new_processes_and_the_same_data(new_stack):
    own = new_stack()
    create_experiment(own.uri, "kept")
    before = supervisor.components(own.layout)["mlflow"].pid
    assert own.cli("restart").returncode == 0
    assert supervisor.components(own.layout)["mlflow"].pid != before
    assert requests.get(own.uri + API + "experiments/get-by-name?experiment_name=kept", timeout=30).ok


def test_foreground_stays_and_stops_the_stack_when_interrupted(new_stack):
    own = new_stack(start=False)
    process = subprocess.Popen(
        [*COMMAND, "up", "--auto-ports", "--foreground", "--data-dir", str(own.layout.root)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    assert own.cli("status").returncode == 0
    process.terminate()
    assert process.wait(90) == 0
    assert supervisor.running(own.layout) is None


def test_logs_show_one_component_or_all_with_their_names(stack):
    one = stack.cli("logs", "mlflow", "-n", "500")
    assert "gunicorn" in one.stdout
    everything = stack.cli("logs", "-n", "5")
    assert {line.split("|")[0].strip() for line in everything.stdout.splitlines() if "|" in line} >= {
        "postgres",
        "supervisor",
    }
    wrong = stack.cli("logs", "mysql")
    assert wrong.returncode == 2
    assert "One of: postgres, object-store, mlflow, supervisor" in wrong.stderr


def test_logs_follow_what_is_written_later(stack):
    process = subprocess.Popen(
        [*COMMAND, "logs", "mlflow", "-f", "-n", "0", "--data-dir", str(stack.layout.root)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(2)
        requests.get(stack.uri + API + "experiments/search", headers={"Host": "evil.example"}, timeout=10)
        assert process.stdout is not None
        assert "evil.example" in process.stdout.readline()
    finally:
        process.terminate()
        process.wait(10)


def test_env_gives_a_shell_what_mlflow_clients_need_and_no_keys_unless_asked(stack):
    plain = stack.cli("env").stdout
    assert plain == f"export MLFLOW_TRACKING_URI={stack.uri}\n"
    full = json.loads(stack.cli("env", "--with-s3", "--format", "json").stdout)
    assert full["AWS_SECRET_ACCESS_KEY"] == stack.context.s3.secret_access_key
    assert full["MLFLOW_S3_ENDPOINT_URL"] == stack.context.s3.endpoint_url
    assert stack.cli("env", "--format", "yaml").returncode == 2


def test_a_foreign_file_in_the_run_folder_does_not_confuse_up(new_stack):
    own = new_stack()
    own.cli("down")
    # After a reboot the recorded pids belong to strangers: here, to this test.
    for name in ("postgres", "object-store", "mlflow"):
        (own.layout.run / f"{name}.pid").write_text(json.dumps({"pid": 1, "started": 1.0}))
    (own.layout.run / "supervisord.pid").write_text("1\n")
    own.up()
    assert own.cli("status").returncode == 0


def test_the_command_line_works_without_a_terminal_and_prints_help_fast():
    began = time.monotonic()
    done = subprocess.run(
        [*COMMAND, "--help"], capture_output=True, text=True, check=True, env=clean_environment()
    )
    assert "Exit codes: 0 done" in " ".join(done.stdout.split())
    assert time.monotonic() - began < 10
    heavy = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlflowctl.cli.main", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    ).stderr
    for package in ("mlflow", "boto3", "psycopg2", "sqlalchemy", "psutil"):
        assert f" {package}\n" not in heavy, f"{package} is imported by --help"


def test_a_layout_finds_the_same_folder_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Layout.at("x/../data") == Layout.at(tmp_path / "data")
