"""What the server's start relies on in the installed MLflow, and would break silently otherwise."""

from __future__ import annotations

import subprocess
import sys

from mlflowctl.stack import tracking_server


def python(code: str) -> str:
    """Run code in a fresh interpreter: importing MLflow's server here would leave its traces."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_applications_options_have_the_names_of_the_installed_mlflow():
    ours = tracking_server.application_options("url", "bucket", direct=False)
    theirs = python(
        "from mlflow.server import constants as c\n"
        "from mlflow import environment_variables as e\n"
        "print(c.BACKEND_STORE_URI_ENV_VAR, c.REGISTRY_STORE_URI_ENV_VAR, c.ARTIFACT_ROOT_ENV_VAR,"
        " c.SERVE_ARTIFACTS_ENV_VAR, c.ARTIFACTS_DESTINATION_ENV_VAR, e._MLFLOW_SERVER_BOOT_ID.name,"
        " e._MLFLOW_SGI_NAME.name, e._MLFLOW_IN_JOB_EXECUTOR.name)"
    )
    assert set(ours) == set(theirs.split())


def test_loading_the_application_starts_no_thread_so_that_it_may_be_forked():
    running = python(
        "import warnings; warnings.simplefilter('ignore')\n"
        "import threading, mlflow.server.fastapi_app\n"
        "print([t.name for t in threading.enumerate()])"
    )
    assert running == "['MainThread']"


def test_the_database_url_names_the_driver_and_holds_no_password():
    url = tracking_server.database_url("127.0.0.1", 5432, "mlflow", "mlflow")
    assert url == "postgresql+psycopg2://mlflow@127.0.0.1:5432/mlflow"


def test_the_allowed_hosts_are_explicit():
    hosts = tracking_server.allowed_hosts(5000)
    assert "127.0.0.1:5000" in hosts
    assert not any("*" in host for host in hosts)


def test_direct_mode_changes_where_clients_write_and_keeps_the_rest_readable():
    proxied = tracking_server.application_options("url", "s3://b", direct=False)
    direct = tracking_server.application_options("url", "s3://b", direct=True)
    changed = {name for name in proxied if proxied[name] != direct[name]} - {"_MLFLOW_SERVER_BOOT_ID"}
    assert changed == {"_MLFLOW_SERVER_ARTIFACT_ROOT"}
    assert direct["_MLFLOW_SERVER_SERVE_ARTIFACTS"] == "true"


def test_nothing_of_the_users_mlflow_and_aws_settings_reaches_the_server(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "PYTHONPATH"):
        monkeypatch.setenv(name, "the user's")
    assert "the user's" not in tracking_server.inherited().values()


def test_the_quick_answer_whether_a_model_is_a_prompt_replaces_one_that_the_installed_mlflow_has():
    """And the model's tags are still where it looks for them."""
    answer = python(
        "import warnings; warnings.simplefilter('ignore')\n"
        "import tempfile\n"
        "from mlflow.entities.model_registry import RegisteredModelTag\n"
        "from mlflow.prompt.constants import IS_PROMPT_TAG_KEY\n"
        "from mlflow.server import handlers\n"
        "from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore\n"
        "from mlflowctl.stack import quick_tags\n"
        "store = SqlAlchemyStore('sqlite:///' + tempfile.mkdtemp() + '/x.db')\n"
        "handlers._get_model_registry_store = lambda *_: store\n"
        "theirs = handlers._is_prompt\n"
        "quick_tags.register()\n"
        "store.create_registered_model('model')\n"
        "store.create_registered_model('prompt', [RegisteredModelTag(IS_PROMPT_TAG_KEY, 'true')])\n"
        "ours = handlers._is_prompt\n"
        "print(*[ask(name) for name in ('model', 'prompt') for ask in (theirs, ours)], theirs is not ours)"
    ).splitlines()[-1]
    assert answer == "False False True True True"
