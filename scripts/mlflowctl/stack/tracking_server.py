"""The MLflow server: stock code, loaded once and forked, never given a password to carry.

``mlflow server`` starts a chain of processes that each import MLflow anew and that leave orphans on
the port when the first is killed. Here gunicorn (which MLflow ships) loads the application once and
forks the workers, so they share memory, start in milliseconds and end with their parent.
"""

from __future__ import annotations

import os
import socket
import sys
import uuid
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.stack import secrets
from mlflowctl.stack.layout import Layout, StackConfig


def database_url(host: str, port: int, database: str, user: str) -> str:
    """An SQLAlchemy URL that names the driver and holds no password (libpq reads PGPASSFILE)."""
    return f"postgresql+psycopg2://{user}@{host}:{port}/{database}"


def allowed_hosts(port: int) -> list[str]:
    """Host headers that the server answers: this machine under its usual names."""
    names = ["localhost", "127.0.0.1", "[::1]", socket.gethostname()]
    return [host for name in dict.fromkeys(names) for host in (name, f"{name}:{port}")]


def tracking_uri(config: StackConfig) -> str:
    return f"http://127.0.0.1:{config.ports.mlflow}"


def environment(layout: Layout, config: StackConfig) -> dict[str, str]:
    """The environment of the server process, complete: nothing is inherited from whoever ran ``up``."""
    url = database_url("127.0.0.1", config.ports.postgres, defaults.DATABASE_NAME, defaults.APP_ROLE)
    bucket = f"s3://{defaults.ARTIFACT_BUCKET}"
    keys = secrets.s3_server_credentials(layout) if config.auth else secrets.s3_credentials(layout)
    return {
        **inherited(),
        **defaults.SERVER_ENVIRONMENT,
        "TMPDIR": str(layout.scratch),
        "PGPASSFILE": str(secrets.app_passfile(layout)),
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": defaults.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{config.ports.s3}",
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(allowed_hosts(config.ports.mlflow)),
        "MLFLOWCTL_BIND": f"127.0.0.1:{config.ports.mlflow}",
        **({"MLFLOWCTL_SESSION_KEY_FILE": str(secrets.session_key(layout))} if config.auth else {}),
        **application_options(url, bucket, direct=config.artifacts == "direct"),
    }


def application_options(url: str, bucket: str, *, direct: bool) -> dict[str, str]:
    """The names under which MLflow's own command line hands its options to the application.

    They are private to MLflow, so a test compares them with those of the installed release.
    Artifacts stay served in direct mode too: experiments made in proxied mode remain readable.
    """
    return {
        "_MLFLOW_SERVER_FILE_STORE": url,
        "_MLFLOW_SERVER_REGISTRY_STORE": url,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": bucket if direct else "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": bucket,
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
    }


def inherited() -> dict[str, str]:
    """The few variables that any process here may keep."""
    keep = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
    kept = {name: os.environ[name] for name in keep if name in os.environ}
    # The environment's own programs first, as if it had been activated.
    kept["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return kept


def command(*, login: bool = False) -> list[str]:
    """The argv of the server; with ``login`` MLflow's application stands behind its login and our gate."""
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        "python:mlflowctl.stack.gunicorn_settings",
        "mlflowctl.login.server:application()" if login else "mlflow.server.fastapi_app:app",
    ]
