"""The MLflow server with login, as gunicorn loads it: ``mlflowctl.login.server:application()``.

The same for the embedded stack and in a container. Needs, beside MLflow's own variables:
``MLFLOWCTL_SESSION_KEY_FILE``, the path of the secret that signs the forms of MLflow's UI.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from mlflowctl.database.schema import wait_until_current
from mlflowctl.files import write_atomic
from mlflowctl.login import schema

DATABASE_VARIABLE = "_MLFLOW_SERVER_REGISTRY_STORE"
KEY_FILE_VARIABLE = "MLFLOWCTL_SESSION_KEY_FILE"


def application() -> Any:
    """MLflow's application behind its login and the gate.

    Waits until bootstrap has made the tables and the administrator: gunicorn loads the application before it
    calls any hook, and MLflow's would make both by itself, in every worker at once.
    """
    url = os.environ[DATABASE_VARIABLE]
    wait_until_current(url)
    schema.wait_until_current(url)
    _configure(url)
    from mlflow.server import auth

    from mlflowctl.login import gate, lookups
    from mlflowctl.login.store import LoginStore

    auth.store = LoginStore()
    app = auth.create_app()
    gate.install(auth.app, app)
    lookups.register()
    return app


def _configure(url: str) -> None:
    """MLflow's configuration of the login; without a password (libpq reads PGPASSFILE)."""
    folder = Path(tempfile.gettempdir())
    file = folder / "mlflow-login.ini"
    write_atomic(file, configuration(url))
    os.environ |= {
        "MLFLOW_AUTH_CONFIG_PATH": str(file),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": Path(os.environ[KEY_FILE_VARIABLE]).read_text().strip(),
        # A route without a check of its own is closed; the query language of the UI checks like the API.
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        "MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH": "true",
        # Bootstrap made the administrator: MLflow neither makes one nor wants the password here.
        "_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED": "true",
    }


def configuration(url: str) -> str:
    """The text of MLflow's ``basic_auth.ini``.

    A user without a role sees nothing, and MLflow's own cache of passwords is off: ours does not age.
    """
    return (
        "[mlflow]\n"
        "default_permission = NO_PERMISSIONS\n"
        f"database_uri = {url.replace('%', '%%')}\n"
        "grant_default_workspace_access = false\n"
        "auth_cache_ttl_seconds = 0\n"
    )
