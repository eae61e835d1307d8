"""``environment: uv``: the model is tried with its own requirements, made once."""

from __future__ import annotations

import time
from importlib import metadata

import pandas
import pytest
from tests.unit.strange_models import make

from mlflowctl.registry.policy import Checks
from mlflowctl.registry.sandbox import environments, run_trial

ROWS = pandas.DataFrame({"x": [1.0, 2.0]})
UV = Checks(environment="uv", timeout_seconds=300)


def test_without_uv_nothing_is_said_about_the_model_and_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(environments.shutil, "which", lambda name: None)
    monkeypatch.setattr(environments.sys, "executable", str(tmp_path / "python"))
    trial = run_trial(make(tmp_path / "model"), ROWS, UV)
    assert (trial.ok, trial.attempted) == (False, False)
    assert "there is no uv" in trial.error
    assert trial.next.startswith("pip install uv")


def test_a_model_without_requirements_is_at_fault_itself(tmp_path):
    folder = make(tmp_path / "model")
    (folder / "requirements.txt").unlink()
    trial = run_trial(folder, ROWS, UV)
    assert (trial.ok, trial.attempted) == (False, True)
    assert "no requirements.txt" in trial.error


def test_uv_is_asked_for_wheels_alone_and_sees_no_credentials(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("UV_INDEX_URL", "https://index.example")
    monkeypatch.setattr(environments, "_uv", lambda command, env: calls.append((command, env)))
    (tmp_path / "env").mkdir()
    environments._make("/bin/uv", tmp_path / "env", "3.11.7", b"six==1.16.0\n")
    venv, install = calls
    assert venv[0][:2] == ["/bin/uv", "venv"]
    assert "--only-binary :all:" in " ".join(install[0])
    assert install[1]["UV_INDEX_URL"] == "https://index.example"
    assert "AWS_SECRET_ACCESS_KEY" not in install[1]


def test_its_own_environment_is_made_once_and_used(tmp_path, monkeypatch):
    try:
        environments._find_uv()
    except environments.NoEnvironment as missing:
        pytest.skip(missing.what)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = metadata.version("mlflow")
    says = "import six\nreturn [six.__version__] * len(rows)"
    model = make(tmp_path / "own", says, requirements=f"mlflow=={here}\nsix==1.16.0\n")
    first = run_trial(model, ROWS, UV, repeat_latency=1)
    assert first.ok, first.error
    assert first.environment.startswith("uv ")
    assert first.predictions.tolist() == ["1.16.0", "1.16.0"]
    assert metadata.version("six") != "1.16.0", "this would prove nothing"
    began = time.monotonic()
    assert run_trial(model, ROWS, UV, repeat_latency=1).ok
    assert time.monotonic() - began < 60
    bad = make(tmp_path / "bad", requirements="mlflow==0.0.0\n")
    assert "cannot be installed" in run_trial(bad, ROWS, UV).error
