"""The Compose project of a folder as a context: found like Docker Compose finds it, with clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlflowctl.cli import options
from mlflowctl.compose import engine
from mlflowctl.compose import project as projects
from mlflowctl.errors import UnavailableError, UsageError
from mlflowctl.settings import resolve

INI = "[default]\naws_access_key_id = KEY\naws_secret_access_key = s3-secret\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as ``compose init`` leaves it, and the working directory below it."""
    made = tmp_path / "My Project"
    (made / "secrets").mkdir(parents=True)
    (made / "below").mkdir()
    (made / "docker-compose.yml").write_text("x-mlflowctl: 1\nservices: {}\n")
    (made / ".env").write_text("COMPOSE_PROJECT_NAME=side\nMLFLOW_PORT=5055\nS3_PORT=9055\n")
    (made / "secrets" / "s3-credentials.ini").write_text(INI)
    (made / "secrets" / "mlflow-admin.password").write_text("hidden\n")
    monkeypatch.chdir(made / "below")
    return made


def test_the_project_is_found_upwards_and_decides_every_setting(folder):
    context = resolve(context="compose", environ={})
    assert context.tracking_uri == "http://127.0.0.1:5055"
    assert (context.login.username, context.login.password) == ("admin", "hidden")
    assert (context.s3.endpoint_url, context.s3.access_key_id) == ("http://127.0.0.1:9055", "KEY")
    assert context.database is None, "the inner network is not reachable from here"
    assert context.describe() == f"context compose in {folder} at http://127.0.0.1:5055"


def test_its_settings_are_shown_with_their_source_and_without_secrets(folder):
    rows = {row["name"]: row for row in resolve(context="compose", environ={}).settings()}
    assert rows["tracking_uri"]["source"] == str(folder / ".env")
    assert rows["tracking_password"]["value"] == "(set, not shown)"
    assert rows["tracking_password"]["source"] == str(folder / "secrets" / "mlflow-admin.password")
    assert "hidden" not in str(rows)
    assert "s3-secret" not in str(rows)
    assert "hidden" not in repr(resolve(context="compose", environ={}))


def test_an_exported_variable_wins_over_the_file_as_in_docker_compose(folder):
    assert projects.find({"MLFLOW_PORT": "5066"}).tracking_port == 5066


def test_without_a_name_the_folder_names_the_project(folder):
    (folder / ".env").write_text("")
    assert projects.find({}).name == "myproject"


def test_another_contexts_variables_are_refused(folder):
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_URI is exported and contradicts"):
        resolve(context="compose", environ={"MLFLOW_TRACKING_URI": "http://elsewhere:5000"})


def test_a_missing_secret_is_named_with_the_command_that_makes_it(folder):
    (folder / "secrets" / "mlflow-admin.password").unlink()
    with pytest.raises(UsageError, match=r"secrets/mlflow-admin\.password cannot be used") as refused:
        resolve(context="compose", environ={})
    assert "mlflowctl compose init" in refused.value.next


@pytest.mark.parametrize("text", ["", "[default]\naws_access_key_id = K\n", "no ini"])
def test_damaged_keys_are_refused(folder, text):
    (folder / "secrets" / "s3-credentials.ini").write_text(text)
    with pytest.raises(UsageError, match=r"s3-credentials\.ini cannot be used: damaged"):
        resolve(context="compose", environ={})


@pytest.mark.parametrize("port", ["many", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(folder, port):
    (folder / ".env").write_text(f"MLFLOW_PORT={port}\n")
    with pytest.raises(UsageError, match="is no port"):
        resolve(context="compose", environ={})


def test_a_foreign_compose_file_is_not_ours(folder):
    (folder / "docker-compose.yml").write_text("services: {}\n")
    with pytest.raises(UsageError, match="There is no Compose project of ours here"):
        resolve(context="compose", environ={})


def test_a_folder_of_an_embedded_stack_and_another_context_are_two_targets(folder):
    with pytest.raises(UsageError, match="two different targets"):
        resolve(context="compose", data_dir=folder, environ={})


def test_the_client_context_can_be_named_and_needs_its_variable():
    uri = "http://mlflow.example:5000"
    environment = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_USERNAME": "ann"}
    context = resolve(context="client", environ=environment)
    assert (context.name, context.tracking_uri, context.login.username) == ("client", uri, "ann")
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_URI is not set"):
        resolve(context="client", environ={})


def test_a_command_goes_into_the_project_without_what_names_the_target_from_outside():
    argv = ["mlflowctl", "--context", "compose", "bootstrap", "--mend", "--context=compose", "--json"]
    assert options.same_command("bootstrap", argv) == ["bootstrap", "--mend", "--json"]


@pytest.mark.parametrize(
    ("said", "kind", "what", "then"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?",
            UnavailableError,
            "does not answer",
            "systemctl start docker",
        ),
        (
            "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
            UnavailableError,
            "may not speak",
            "usermod",
        ),
        ("docker: 'compose' is not a docker command.", UsageError, "without its Compose plugin", "Install"),
        (
            "required variable POSTGRES_IMAGE is missing a value: run mlflowctl compose init",
            UsageError,
            "not set up",
            "mlflowctl compose init",
        ),
    ],
)
def test_what_docker_complains_about_is_said_with_what_to_do(said, kind, what, then):
    error = engine.failure(["ps"], said)
    assert isinstance(error, kind)
    assert what in error.what
    assert then in error.next


def test_both_forms_of_composes_json_are_read():
    assert engine.rows('{"a": 1}\n{"a": 2}\n') == engine.rows('[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]
    assert engine.rows("") == []
