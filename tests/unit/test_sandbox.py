"""A stranger's model in the sandbox: what it can see, what it can break, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas
import psutil
import pytest
from tests.unit.strange_models import make

from mlflowctl.registry.policy import Checks
from mlflowctl.registry.sandbox import account, environments, run_trial, runner

ROWS = pandas.DataFrame({"x": [1.0, 2.0, 3.0]})
SECRET = "s3cr3t-of-the-promoter"

SPY = """
import json, os, pathlib, signal, socket
home = {home!r}
def tried(act):
    try:
        return repr(act())
    except Exception as exc:
        return type(exc).__name__
found = dict(
    environment=dict(os.environ),
    parent=tried(lambda: open(f'/proc/{{os.getppid()}}/environ').read()),
    file=tried(lambda: open(home + '/credentials').read()),
    own_folder=tried(lambda: open({model!r} + '/MLmodel', 'a').write('x')),
    kill=tried(lambda: os.kill(os.getppid(), 0)),
    tcp=tried(lambda: socket.create_connection(('127.0.0.1', {port}), 2)),
    udp=tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    stdin=tried(lambda: os.read(0, 10)),
    here=tried(lambda: open('note', 'w').write('hello')),
)
return [json.dumps(found)] * len(rows)
"""


@pytest.fixture(scope="module")
def spied(tmp_path_factory):
    """What a spying model found, run by a process that has secrets; and the trial."""
    folder = tmp_path_factory.mktemp("spied")
    (folder / "credentials").write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "PGPASSWORD", "GITHUB_TOKEN"):
            patch.setenv(name, SECRET)
        spy = SPY.format(home=str(folder), model=str(folder / "spy"), port=server.getsockname()[1])
        trial = run_trial(make(folder / "spy", spy, example=False), ROWS, Checks())
    assert trial.ok, trial.error
    return json.loads(trial.predictions[0]), trial


def test_no_secret_of_the_environment_reaches_the_model(spied):
    found, _ = spied
    allowed = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "DO_NOT_TRACK", "LC_CTYPE"}
    own = {name for name in found["environment"] if not name.endswith("_NUM_THREADS")}
    # What Python's and the model's libraries set for themselves holds nothing of the caller's.
    assert SECRET not in json.dumps(found)
    assert not [name for name in own - allowed if os.environ.get(name) == found["environment"][name]]
    assert not [name for name in own if name.startswith(("AWS_", "PG", "GITHUB"))]
    assert found["environment"]["HOME"] != str(Path.home())


@pytest.mark.parametrize("way", ["parent", "file", "own_folder", "kill"])
def test_files_and_processes_of_the_account_are_closed_or_a_note_says_that_they_are_not(spied, way):
    found, trial = spied
    assert found[way] == "PermissionError" or any("can read all files" in note for note in trial.notes)


@pytest.mark.parametrize("way", ["tcp", "udp"])
def test_the_network_is_closed_or_a_note_says_that_it_is_not(spied, way):
    found, trial = spied
    assert found[way] == "PermissionError" or any("use the network" in note for note in trial.notes)


def test_it_may_write_in_its_own_temporary_folder_and_has_no_input(spied):
    found, _ = spied
    assert (found["here"], found["stdin"]) == ("5", "b''")


def test_a_good_model_is_predicted_measured_and_its_chatter_ignored(tmp_path):
    chatty = "print('{\"ok\": false}' * 100000)\nreturn rows['x'] * 2"
    trial = run_trial(make(tmp_path / "chatty", chatty), ROWS, Checks(), repeat_latency=10)
    assert trial.ok, trial.error
    assert trial.predictions.tolist() == [2.0, 4.0, 6.0]
    assert trial.example == "ok"
    assert 0 < trial.latency_p50_ms <= trial.latency_p95_ms < 5000
    assert 50 < trial.peak_memory_mb < 2000
    assert trial.environment.startswith("local Python 3.")


def test_peak_memory_is_the_models_and_not_the_callers(tmp_path):
    ballast = bytearray(os.urandom(1 << 20)) * 900  # what a caller with large data looks like
    greedy = "self.kept = bytearray(b'x') * (300 << 20)\nreturn rows['x']"
    trial = run_trial(make(tmp_path / "greedy", greedy), ROWS, Checks(), repeat_latency=1)
    assert len(ballast) >> 20 == 900
    assert 350 < trial.peak_memory_mb < 890


def test_one_that_sleeps_for_ever_is_killed_with_all_that_it_started(tmp_path):
    mark = f"86400.{os.getpid()}"
    starts = f"""
    import subprocess, time
    subprocess.Popen(['sleep', '{mark}'])
    subprocess.Popen(['sleep', '{mark}'], start_new_session=True)
    time.sleep(600)
    """
    began = time.monotonic()
    trial = run_trial(make(tmp_path / "sleeper", starts), ROWS, Checks(timeout_seconds=12))
    assert not trial.ok
    assert "not ended after 12 seconds" in trial.error
    assert time.monotonic() - began < 25
    assert not _running(mark)


def test_what_a_good_model_leaves_running_is_ended_as_well(tmp_path):
    mark = f"86401.{os.getpid()}"
    leaves = (
        f"import subprocess\nsubprocess.Popen(['sleep', '{mark}'], start_new_session=True)\nreturn rows['x']"
    )
    assert run_trial(make(tmp_path / "leaver", leaves), ROWS, Checks(), repeat_latency=1).ok
    assert not _running(mark)


def test_killing_the_tool_ends_the_model(tmp_path):
    mark = f"86402.{os.getpid()}"
    model = make(tmp_path / "orphan", f"import os\nos.execvp('sleep', ['sleep', '{mark}'])")
    tool = (
        "import pathlib, pandas; from mlflowctl.registry.sandbox import run_trial;"
        "from mlflowctl.registry.policy import Checks;"
        f"run_trial(pathlib.Path({str(model)!r}), pandas.DataFrame({{'x': [1.0]}}), Checks())"
    )
    process = subprocess.Popen([sys.executable, "-c", tool])
    try:
        until = time.monotonic() + 60
        while not _running(mark) and time.monotonic() < until:
            time.sleep(0.1)
        assert _running(mark), "it never began"
    finally:
        process.kill()
        process.wait()
    assert not _running(mark)


def _running(mark: str) -> list[int]:
    time.sleep(0.2)
    return [one.pid for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]


def test_one_that_wants_20_gb_is_stopped(tmp_path):
    trial = run_trial(make(tmp_path / "large", "return bytearray(20 << 30)"), ROWS, Checks(memory_mb=4096))
    assert not trial.ok
    assert "predicting: more than 4096 MB" in trial.error


@pytest.mark.parametrize(
    ("predict", "said"),
    [
        ("import os\nos._exit(7)", "exit code 7"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("raise ValueError('no such column \\x1b[2J')", "predicting: ValueError: no such column ?[2J"),
        ("return [object()] * len(rows)", "predicting: TypeError"),
        ("return [1.0]", "3 rows, and predictions of the shape (1,)"),
    ],
)
def test_one_that_fails_is_an_answer_that_says_how(tmp_path, predict, said):
    trial = run_trial(make(tmp_path / "failing", predict), ROWS, Checks())
    assert not trial.ok
    assert said in trial.error
    assert trial.predictions is None


def test_one_that_cannot_be_loaded_says_why(tmp_path):
    trial = run_trial(make(tmp_path / "absent", load="import nothing_like_this"), ROWS, Checks())
    assert "loading: ModuleNotFoundError: No module named 'nothing_like_this'" in trial.error


@pytest.mark.parametrize(
    ("predict", "example"),
    [
        ("return rows['x'] * float('nan')", "not finite"),
        ("import os\nreturn [int.from_bytes(os.urandom(4), 'big')] * len(rows)", "not deterministic"),
        ("if len(rows) == 2: raise KeyError('y')\nreturn rows['x']", "failed: KeyError: 'y'"),
    ],
)
def test_the_input_example_tells(tmp_path, predict, example):
    trial = run_trial(make(tmp_path / "exemplary", predict), ROWS, Checks(), repeat_latency=1)
    assert trial.ok, trial.error
    assert trial.example == example


def test_without_rows_the_input_example_alone_is_tried(tmp_path):
    trial = run_trial(make(tmp_path / "alone"), None, Checks(), repeat_latency=3)
    assert trial.ok, trial.error
    assert (trial.predictions, trial.example) == (None, "ok")
    assert trial.latency_p95_ms > 0


def test_two_trials_at_once_do_not_end_each_other(tmp_path):
    slow = make(tmp_path / "slow", "import time\ntime.sleep(0.5)\nreturn rows['x']", example=False)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(run_trial(slow, ROWS, Checks(), repeat_latency=1)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [trial.ok for trial in found] == [True, True]


def test_the_folder_of_a_trial_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    run_trial(make(tmp_path / "absent", load="raise OSError"), None, Checks())
    assert list((tmp_path / "tmp").iterdir()) == []
    assert sys.stdin is not None


def test_root_becomes_an_account_that_owns_nothing_where_that_account_can_read_what_is_needed(monkeypatch):
    system = Path("/usr/bin/python3")
    folder = Path(tempfile.mkdtemp())  # not pytest's own, which that account cannot enter
    try:
        monkeypatch.setattr(runner.sys, "executable", str(system))
        user, notes = account.choose(folder, [system])
        if os.geteuid() != 0:
            assert (user, notes) == (None, [])
            return
        assert (user, notes) == ("nobody", []), "is there a system Python?"
        tell = "import os; os.close(0); print(os.getuid(), os.getgroups(), open('/etc/shadow').read())"
        job = {"limits": {}, "read": ["/"], "write": [str(folder)], "network": False}
        (folder / "job.json").write_text(json.dumps(job | {"command": [str(system), "-I", "-c", tell]}))
        (folder / "job.json").chmod(0o644)
        ended, missing = runner._watch(folder, environments.Environment(system, "", ()), user, 20)
        assert missing == []
        assert "PermissionError" in ended
        assert "/etc/shadow" in ended
    finally:
        shutil.rmtree(folder)


def test_root_that_cannot_change_its_account_has_no_powers_left(tmp_path):
    powers = "return [open('/proc/self/status').read().split('CapEff:')[1].split()[0]] * len(rows)"
    trial = run_trial(make(tmp_path / "powers", powers, example=False), ROWS, Checks(), repeat_latency=1)
    assert trial.predictions.tolist() == ["0" * 16] * 3
    assert os.geteuid() != 0 or not trial.notes or "without root's powers" in trial.notes[0]
