"""``compose init``: what it writes, what it never overwrites, and what it refuses."""

from __future__ import annotations

import configparser
import json
import shutil
import socket
import stat
import tomllib
from pathlib import Path

import pytest
from tests.unit import reference

from mlflowctl.cli.main import app
from mlflowctl.compose import init, secrets, upgrade
from mlflowctl.compose import project as projects
from mlflowctl.compose.engine import Container
from mlflowctl.errors import UsageError
from mlflowctl.plan import Action, pending
from mlflowctl.settings import Context

OPTIONS = init.InitOptions(auto_ports=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout's folder as the user's working directory; no engine is asked."""
    made = tmp_path / "My Project"
    made.mkdir()
    for name in (projects.FILE, init.EXAMPLE):
        shutil.copy(reference.ROOT / name, made / name)
    monkeypatch.chdir(made)
    monkeypatch.setattr(init, "data_volumes", lambda _project: [])
    for variable in ("COMPOSE_PROJECT_NAME", "MLFLOW_PORT", "S3_PORT", "SERVING_PORT"):
        monkeypatch.delenv(variable, raising=False)
    return made


def found() -> projects.Project:
    project = projects.find({})
    assert project is not None
    return project


def run(options: init.InitOptions = OPTIONS) -> list[str]:
    """Plan and execute; the targets of what was made."""
    steps = pending(init.plan(found(), options))
    for step in steps:
        init.apply(step, found())
    return [step.target for step in steps]


def cli(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        app(["compose", "init", *arguments], prog_name="mlflowctl")
    out, err = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 0, out, err


def test_planning_changes_nothing(folder):
    before = sorted(path.name for path in folder.iterdir())
    steps = init.plan(found(), OPTIONS)
    assert {step.action for step in steps} == {Action.CREATE}
    assert sorted(path.name for path in folder.iterdir()) == before


def test_the_first_run_makes_everything_and_the_second_finds_nothing_to_do(folder):
    made = run()
    assert made[0] == "folder secrets/"
    assert made[-1] == ".env", "last: with .env, docker compose up would start"
    assert set(made[1:-1]) == {f"secret {name}" for name in secrets.NAMES}
    before = {path.name: path.read_bytes() for path in (folder / "secrets").iterdir()}
    assert run() == []
    assert {path.name: path.read_bytes() for path in (folder / "secrets").iterdir()} == before


def test_the_folder_is_closed_and_its_files_are_readable_inside_containers(folder):
    run()
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "secrets").iterdir()}
    assert modes == {0o444}


def test_env_is_the_example_with_name_and_ports_and_holds_no_secret(folder):
    run()
    text = (folder / ".env").read_text()
    project = found()
    assert project.name == "myproject"
    example = (folder / init.EXAMPLE).read_text().splitlines()
    changed = {line.partition("=")[0] for line in text.splitlines() if line not in example}
    assert changed <= {"COMPOSE_PROJECT_NAME", "MLFLOW_PORT", "S3_PORT", "SERVING_PORT"}
    assert project.tracking_port != project.s3_port
    for path in (folder / "secrets").glob("*.password"):
        assert path.read_text().strip() not in text


def test_what_is_derived_fits_what_it_is_derived_from(folder):
    run()
    parser = configparser.RawConfigParser()
    parser.read(folder / "secrets" / "s3-credentials.ini")
    key, secret = parser["default"]["aws_access_key_id"], parser["default"]["aws_secret_access_key"]
    identities = json.loads((folder / "secrets" / "s3-identities.json").read_text())["identities"]
    assert identities[0]["credentials"] == [{"accessKey": key, "secretKey": secret}]
    parser.read(folder / "secrets" / "s3-server.ini")
    assert identities[1]["credentials"][0]["accessKey"] == parser["default"]["aws_access_key_id"] != key
    assert all(action.endswith(":mlflow-artifacts") for action in identities[1]["actions"])
    minio = (folder / "secrets" / "minio.env").read_text()
    assert f'MINIO_ROOT_USER="{key}"\n' in minio
    assert f'MINIO_ROOT_PASSWORD="{secret}"\n' in minio


def test_the_stores_security_names_its_files_where_the_container_has_them(folder):
    run()
    security = tomllib.loads((folder / "secrets" / "object-store.security.toml").read_text())
    assert security["grpc"]["ca"] == "/run/secrets/object-store.ca.crt"
    assert security["grpc"]["s3"]["key"] == "/run/secrets/object-store.node.key"
    assert len(bytes.fromhex(security["s3"]["sse"]["kek"])) == 32


@pytest.mark.parametrize(
    "name",
    ["postgres-mlflow.password", "mlflow-admin.password", "mlflow-serving.password", "mlflow-session.key"],
)
def test_a_missing_password_that_bootstrap_can_set_is_made_anew(folder, name):
    run()
    (folder / "secrets" / name).unlink()
    assert run() == [f"secret {name}"]


@pytest.mark.parametrize("name", ["s3-credentials.ini", "s3-identities.json"])
def test_the_stores_keys_are_recovered_from_the_file_that_still_has_them(folder, name):
    run()
    path = folder / "secrets" / name
    before = path.read_text()
    path.unlink()
    assert run() == [f"secret {name}"]
    assert path.read_text() == before


def test_new_keys_of_the_server_are_told_to_the_store_and_the_administrators_stay(folder):
    run()
    administrator = (folder / "secrets" / "s3-credentials.ini").read_text()
    (folder / "secrets" / "s3-server.ini").unlink()
    assert run() == ["secret s3-server.ini", "secret s3-identities.json"]
    assert (folder / "secrets" / "s3-credentials.ini").read_text() == administrator
    parser = configparser.RawConfigParser()
    parser.read(folder / "secrets" / "s3-server.ini")
    identities = json.loads((folder / "secrets" / "s3-identities.json").read_text())["identities"]
    assert identities[1]["credentials"][0]["secretKey"] == parser["default"]["aws_secret_access_key"]


def test_a_project_of_before_model_serving_gets_what_it_lacks_and_keeps_the_rest(folder):
    run()
    kept = folder / "secrets"
    before = {name: (kept / name).read_text() for name in secrets.NAMES}
    for name in ("mlflow-serving.password", "s3-serving.ini"):
        (kept / name).unlink()
    old = json.loads(before["s3-identities.json"])["identities"][:2]
    (kept / "s3-identities.json").unlink()
    (kept / "s3-identities.json").write_text(json.dumps({"identities": old}))
    assert run() == ["secret mlflow-serving.password", "secret s3-serving.ini", "secret s3-identities.json"]
    now = {name: (kept / name).read_text() for name in secrets.NAMES}
    changed = {name for name in secrets.NAMES if now[name] != before[name]}
    assert changed == {"mlflow-serving.password", "s3-serving.ini", "s3-identities.json"}
    assert json.loads(now["s3-identities.json"])["identities"][:2] == old


def test_an_upgrade_names_the_secrets_that_a_release_adds(folder, monkeypatch):
    run()
    (folder / "secrets" / "s3-serving.ini").unlink()
    project = upgrade.ComposeProject(Context("compose", "a test", "http://127.0.0.1:1"), found(), "backups")
    server = Container("mlflow", "running", "healthy", "Up", 0, "mlflowctl:older")
    monkeypatch.setattr(project.compose, "containers", lambda: {"mlflow": server})
    with pytest.raises(UsageError, match=r"lacks secrets of this release: s3-serving\.ini") as no:
        project.check()
    assert "mlflowctl compose init" in no.value.next


def test_model_servers_keys_write_records_and_nothing_else(folder):
    run()
    parser = configparser.RawConfigParser()
    parser.read(folder / "secrets" / "s3-serving.ini")
    found = json.loads((folder / "secrets" / "s3-identities.json").read_text())["identities"][2]
    assert found["credentials"][0]["accessKey"] == parser["default"]["aws_access_key_id"]
    assert [one for one in found["actions"] if not one.startswith(("Read:", "List:"))] == [
        "Write:mlflow-registry/records/*"
    ]


def test_a_taken_port_for_models_is_replaced_without_being_asked(folder, monkeypatch):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        monkeypatch.setattr(init, "PORTS", {})
        monkeypatch.setattr(init, "SERVING", {"SERVING_PORT": port})
        run(init.InitOptions())
    assert found().serving_port != port


def test_a_missing_certificate_means_three_new_ones_that_fit_together(folder):
    run()
    before = {name: (folder / "secrets" / name).read_text() for name in secrets.CERTIFICATES}
    (folder / "secrets" / "object-store.node.crt").unlink()
    assert set(run()) == {f"secret {name}" for name in secrets.CERTIFICATES}
    assert all((folder / "secrets" / name).read_text() != text for name, text in before.items())


@pytest.mark.parametrize("name", secrets.IRREPLACEABLE)
def test_a_lost_secret_that_opens_existing_data_is_not_replaced(folder, name, monkeypatch):
    run()
    (folder / "secrets" / name).unlink()
    monkeypatch.setattr(init, "data_volumes", lambda _project: ["myproject_postgres"])
    with pytest.raises(
        UsageError, match="data that only the old one opens: volumes myproject_postgres"
    ) as no:
        init.plan(found(), OPTIONS)
    assert "docker compose down --volumes" in no.value.next
    assert name in no.value.what


def test_without_an_engine_a_project_that_may_have_run_is_not_given_new_keys(folder, monkeypatch):
    monkeypatch.setattr(init, "data_volumes", lambda _project: None)
    run()
    (folder / "secrets" / "postgres-admin.password").unlink()
    with pytest.raises(UsageError, match="as far as can be told without the engine"):
        init.plan(found(), OPTIONS)


def test_an_interrupted_run_is_finished_by_the_next(folder):
    for step in pending(init.plan(found(), OPTIONS))[:5]:
        init.apply(step, found())
    kept = (folder / "secrets" / "postgres-admin.password").read_text()
    assert ".env" in run()
    assert (folder / "secrets" / "postgres-admin.password").read_text() == kept
    assert secrets.missing(folder / "secrets") == []


def test_a_damaged_credentials_file_is_named(folder):
    run()
    for name in ("s3-credentials.ini", "s3-identities.json"):
        (folder / "secrets" / name).unlink()
    (folder / "secrets" / "s3-credentials.ini").write_text("no ini file")
    with pytest.raises(UsageError, match=r"s3-credentials\.ini is damaged"):
        run()


def test_a_taken_port_is_refused_unless_others_may_be_taken(folder, monkeypatch):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        monkeypatch.setattr(init, "PORTS", {"MLFLOW_PORT": port})
        with pytest.raises(UsageError, match=f"Port {port} .* is taken") as no:
            init.plan(found(), init.InitOptions())
        assert "--auto-ports" in no.value.next
        run()
    assert found().tracking_port != port


def test_another_name_than_the_one_in_env_is_refused(folder):
    run(init.InitOptions(auto_ports=True, name="first"))
    assert found().name == "first"
    with pytest.raises(UsageError, match="names the project 'first' already"):
        init.plan(found(), init.InitOptions(name="second"))


@pytest.mark.parametrize("name", ["Upper", "-dash", "with space", "ä"])
def test_a_name_that_compose_would_refuse_is_refused(folder, name):
    with pytest.raises(UsageError, match="cannot be the name of a project"):
        init.plan(found(), init.InitOptions(auto_ports=True, name=name))


def test_outside_of_a_project_it_says_where_to_go(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(capsys=capsys)
    assert code == 2
    assert "no docker-compose.yml in this folder or above" in err


def test_what_it_says(folder, capsys):
    code, out, err = cli("--auto-ports", "--project", "side", capsys=capsys)
    assert code == 0, err
    assert f"The Compose project side in {folder} is set up ({len(secrets.NAMES) + 2} made)." in out
    assert "docker compose up --wait" in out
    assert "--force-recreate" not in out
    code, out, err = cli(capsys=capsys)
    assert out.startswith("Nothing to do")
    assert err == ""
    (folder / "secrets" / "mlflow-session.key").unlink()
    assert "docker compose up --wait --force-recreate" in cli(capsys=capsys)[1]


def test_json_is_as_documented(folder, capsys):
    for arguments in (
        ("--auto-ports", "--dry-run"),
        ("--auto-ports", "--dry-run", "--exit-code"),
        ("--auto-ports", "--yes"),
        ("--project", "another"),
    ):
        _, out, _ = cli(*arguments, "--json", capsys=capsys)
        reference.validated("compose.init", out)
