"""The environment of the image's container: what is read, what is refused, and what the server gets of it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mlflowctl import defaults
from mlflowctl.container import secrets, serve, settings, wait
from mlflowctl.errors import AccessError, UnavailableError, UsageError
from mlflowctl.settings import resolve
from mlflowctl.stack import health

INI = "[default]\naws_access_key_id = KEY\naws_secret_access_key = s3-secret\n"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The variables of a bootstrap container in Compose."""
    for name, text in {
        "app": "app-secret\n",
        "admin": "admin-secret\n",
        "login": "login-secret\n",
        "key": "session-secret\n",
        "s3.ini": INI,
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "run").mkdir()
    return {
        "MLFLOWCTL_CONTEXT": "container",
        "MLFLOWCTL_RUN_DIR": str(tmp_path / "run"),
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "MLFLOWCTL_DATABASE_HOST": "postgres",
        "MLFLOWCTL_DATABASE_PASSWORD_FILE": str(tmp_path / "app"),
        "MLFLOWCTL_DATABASE_ADMIN_PASSWORD_FILE": str(tmp_path / "admin"),
        "MLFLOWCTL_ADMIN_PASSWORD_FILE": str(tmp_path / "login"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY_FILE": str(tmp_path / "key"),
        "MLFLOW_S3_ENDPOINT_URL": "http://object-store:9000",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "s3.ini"),
        "MLFLOWCTL_ARTIFACT_BUCKET": "a",
        "MLFLOWCTL_REGISTRY_BUCKET": "r",
    }


def test_the_container_is_a_context_with_everything_that_a_command_needs(env):
    context = resolve(environ=env)
    assert context.tracking_uri == "http://mlflow:5000"
    assert (context.login.username, context.login.password) == ("admin", "login-secret")
    assert (context.s3.endpoint_url, context.s3.access_key_id) == ("http://object-store:9000", "KEY")
    assert (context.s3.artifact_bucket, context.s3.registry_bucket, context.s3.owned) == ("a", "r", True)
    assert (context.database.host, context.database.port, context.database.name) == (
        "postgres",
        5432,
        "mlflow",
    )
    assert context.database.app_password() == "app-secret"
    rows = str(context.settings())
    assert "secret'" not in rows.replace("s3_secret_access_key'", "")
    assert "MLFLOWCTL_DATABASE_HOST" in rows


def test_copies_for_libpq_are_for_this_user_alone(env):
    passfile = resolve(environ=env).database.admin_passfile
    assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
    assert stat.S_IMODE(passfile.parent.stat().st_mode) == 0o700
    assert passfile.read_text() == "*:*:*:mlflowctl_admin:admin-secret\n"


def test_without_the_admins_password_the_database_is_not_part_of_the_context(env):
    del env["MLFLOWCTL_DATABASE_ADMIN_PASSWORD_FILE"]
    assert resolve(environ=env).database is None


@pytest.fixture
def model_server(tmp_path: Path) -> dict[str, str]:
    """The variables of the container that serves a model in Compose."""
    (tmp_path / "s3.ini").write_text(INI)
    (tmp_path / "reader").write_text("reader-secret\n")
    return {
        "MLFLOWCTL_CONTEXT": "container",
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "MLFLOW_TRACKING_USERNAME": "mlflowctl-serving",
        "MLFLOW_TRACKING_PASSWORD_FILE": str(tmp_path / "reader"),
        "MLFLOW_S3_ENDPOINT_URL": "http://object-store:9000",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "s3.ini"),
        "MLFLOWCTL_ARTIFACT_BUCKET": "a",
        "MLFLOWCTL_REGISTRY_BUCKET": "r",
    }


def test_a_model_server_needs_no_database_and_logs_in_as_its_reader(model_server):
    context = resolve(environ=model_server)
    assert (context.login.username, context.login.password) == ("mlflowctl-serving", "reader-secret")
    assert (context.database, context.serving_login) == (None, None)
    assert (context.s3.access_key_id, context.s3.registry_bucket) == ("KEY", "r")
    assert context.origins["tracking_password"] == "MLFLOW_TRACKING_PASSWORD[_FILE]"
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_PASSWORD is not set"):
        resolve(environ={**model_server, "MLFLOW_TRACKING_PASSWORD_FILE": ""})


def test_a_task_that_serves_in_aws_resolves_also_in_the_images_own_context():
    """What modules/serving gives its task, less the context that it names."""
    context = resolve(
        environ={
            "MLFLOWCTL_CONTEXT": "container",
            "MLFLOW_TRACKING_URI": "https://mlflow.example.com",
            "MLFLOW_TRACKING_USERNAME": "reader",
            "MLFLOW_TRACKING_PASSWORD": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "MLFLOWCTL_ARTIFACT_BUCKET": "a",
            "MLFLOWCTL_REGISTRY_BUCKET": "r",
        }
    )
    assert (context.login.username, context.database) == ("reader", None)
    assert (context.s3.endpoint_url, context.s3.access_key_id, context.s3.owned) == (None, None, False)


def test_bootstrap_knows_the_reader_that_it_makes_and_the_server_does_not(env, tmp_path):
    (tmp_path / "reader").write_text("reader-secret\n")
    given = env | {"MLFLOWCTL_SERVING_PASSWORD_FILE": str(tmp_path / "reader")}
    context = resolve(environ=given)
    assert context.login.username == "admin"
    assert (context.serving_login.username, context.serving_login.password) == (
        defaults.SERVING_USERNAME,
        "reader-secret",
    )
    assert "MLFLOWCTL_SERVING_PASSWORD_FILE" not in serve.environment(settings.read(given), given)
    assert resolve(environ=given | {"MLFLOWCTL_AUTH": "false"}).serving_login is None


def test_without_login_nobody_logs_in(env):
    assert resolve(environ=env | {"MLFLOWCTL_AUTH": "false"}).login is None


def test_aws_itself_has_no_endpoint_its_buckets_belong_to_terraform_and_its_chain_has_the_keys(env):
    del env["AWS_SHARED_CREDENTIALS_FILE"]
    s3 = resolve(environ=env | {"MLFLOW_S3_ENDPOINT_URL": ""}).s3
    assert (s3.endpoint_url, s3.access_key_id, s3.owned) == (None, None, False)


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_TRACKING_URI",
        "MLFLOWCTL_DATABASE_HOST",
        "MLFLOWCTL_ARTIFACT_BUCKET",
        "MLFLOWCTL_REGISTRY_BUCKET",
        "MLFLOWCTL_DATABASE_PASSWORD",
    ],
)
def test_a_missing_variable_is_named(env, name):
    env.pop(name, None)
    env.pop(f"{name}_FILE", None)
    with pytest.raises(UsageError, match=f"{name} is not set"):
        resolve(environ=env)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_TRACKING_URI", "mlflow:5000"),
        ("MLFLOWCTL_DATABASE_PORT", "many"),
        ("MLFLOWCTL_DATABASE_PORT", "70000"),
        ("MLFLOWCTL_AUTH", "yes"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(env, name, value):
    with pytest.raises(UsageError, match=f"{name}='{value}' makes no sense"):
        resolve(environ=env | {name: value})


def test_a_secret_is_a_variable_or_a_file_and_never_both(env, tmp_path):
    assert secrets.optional({"X": "plain"}, "X") == "plain"
    assert secrets.optional({"X_FILE": str(tmp_path / "app")}, "X") == "app-secret"
    assert secrets.optional({"X_FILE": ""}, "X") == ""
    with pytest.raises(UsageError, match="X and X_FILE are both set"):
        secrets.optional({"X": "plain", "X_FILE": "file"}, "X")
    with pytest.raises(UsageError, match=r"missing cannot be read .*No such file"):
        secrets.optional({"X_FILE": str(tmp_path / "missing")}, "X")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UsageError, match="is empty"):
        secrets.optional({"X_FILE": str(tmp_path / "empty")}, "X")


def test_a_damaged_credentials_file_is_named(env, tmp_path):
    (tmp_path / "s3.ini").write_text("nothing")
    with pytest.raises(UsageError, match="AWS_SHARED_CREDENTIALS_FILE"):
        resolve(environ=env)


def test_a_private_folder_of_somebody_else_is_not_used(env, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder = secrets._private_folder(env)
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="belongs to another user"):
        resolve(environ=env)


def server(env: dict[str, str]) -> dict[str, str]:
    return serve.environment(settings.read(env), env)


def test_the_server_gets_no_password_but_by_path(env):
    environ = server(
        env | {"MLFLOWCTL_DATABASE_ADMIN_PASSWORD_FILE": "", "MLFLOWCTL_ADMIN_PASSWORD_FILE": ""}
    )
    said = " ".join(environ.values())
    assert "secret" not in said.replace("AWS_SHARED", "")
    assert Path(environ["PGPASSFILE"]).read_text() == "*:*:*:mlflow:app-secret\n"
    assert Path(environ["MLFLOWCTL_SESSION_KEY_FILE"]).read_text() == "session-secret"
    assert environ["_MLFLOW_SERVER_FILE_STORE"] == "postgresql+psycopg2://mlflow@postgres:5432/mlflow"
    assert environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] == "s3://a"
    assert environ["MLFLOWCTL_BIND"] == "0.0.0.0:5000"


def test_the_server_behaves_as_everywhere_else(env):
    environ = server(env | dict.fromkeys(defaults.SERVER_ENVIRONMENT, "another"))
    assert defaults.SERVER_ENVIRONMENT.items() <= environ.items()
    assert "MLFLOW_TRACKING_URI" not in environ, "the server is no client of itself"


def test_what_a_deployment_sets_for_the_libraries_reaches_the_server(env):
    assert server(env | {"PGSSLMODE": "verify-full"})["PGSSLMODE"] == "verify-full"
    assert "MLFLOW_S3_ENDPOINT_URL" not in server(env | {"MLFLOW_S3_ENDPOINT_URL": ""}), (
        "boto3 takes no empty one"
    )


def test_the_server_answers_to_its_names_and_to_loopback_under_any_port(env):
    hosts = serve.allowed_hosts(settings.read(env | {"MLFLOWCTL_ALLOWED_HOSTS": "a.example, b.example:81"}))
    assert hosts == [
        "localhost",
        "localhost:*",
        "127.0.0.1",
        "127.0.0.1:*",
        "mlflow:5000",
        "mlflow",
        "a.example",
        "b.example:81",
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "false"), ({"MLFLOW_S3_ENDPOINT_URL": ""}, "true"), ({"MLFLOWCTL_PRESIGNED_URLS": "true"}, "true")],
)
def test_clients_are_sent_to_the_store_only_where_they_can_reach_it(env, given, expected):
    assert server(env | given)["MLFLOWCTL_PRESIGNED_URLS"] == expected


def test_scratch_space_is_emptied_at_the_start_and_a_missing_one_is_named(tmp_path):
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "file").write_text("x")
    (tmp_path / "other").write_text("x")
    serve._clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match=r"MLFLOWCTL_SCRATCH=.*nowhere cannot be used"):
        serve._clear(tmp_path / "nowhere")


def test_waiting_ends_when_everything_answers_and_says_each_reason_once(env, monkeypatch):
    answers = iter([UnavailableError("no database"), UnavailableError("no database"), None])

    def database(_target: object) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    monkeypatch.setattr(health, "database", database)
    monkeypatch.setattr(health, "object_store", lambda _target: None)
    monkeypatch.setattr(wait, "PAUSE", 0)
    said: list[str] = []
    wait.for_platform(resolve(environ=env), said.append)
    assert said == ["Waiting: no database"]


@pytest.mark.parametrize(
    ("error", "limit"), [(AccessError("wrong password"), 60), (UnavailableError("away"), 0)]
)
def test_waiting_ends_at_once_where_it_cannot_help(env, monkeypatch, error, limit):
    def refuse(_target: object) -> None:
        raise error

    monkeypatch.setattr(health, "database", refuse)
    monkeypatch.setattr(wait, "PAUSE", 0)
    with pytest.raises(type(error)):
        wait.for_platform(resolve(environ=env), lambda _text: None, limit=limit)
