"""Becoming the MLflow server of a container: the same application as the embedded stack's.

The environment is made of the container's variables, then this process replaces itself by gunicorn. No
password stands in an argument, a URL or the environment that the engine shows.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.container import secrets
from mlflowctl.container.settings import (
    ADMIN_PASSWORD,
    DATABASE_ADMIN_PASSWORD,
    DATABASE_PASSWORD,
    SECRET_KEY,
    SERVING_PASSWORD,
    ContainerSettings,
    read,
)
from mlflowctl.errors import UsageError
from mlflowctl.stack import tracking_server
from mlflowctl.stack.presigned_urls import VARIABLE

PORT = defaults.TRACKING_PORT
# What describes the container to commands, not to the server; and secrets, which it gets by path.
NOT_FOR_THE_SERVER = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_PASSWORD_FILE",
    *(
        f"{name}{end}"
        for name in (DATABASE_PASSWORD, DATABASE_ADMIN_PASSWORD, ADMIN_PASSWORD, SERVING_PASSWORD)
        for end in ("", "_FILE")
    ),
    SECRET_KEY,
    f"{SECRET_KEY}_FILE",
)


def serve(env: Mapping[str, str]) -> None:
    """Become the server. Does not return.

    Raises:
        UsageError: a variable or a secret is missing or makes no sense.
    """
    settings = read(env)
    environ = environment(settings, env)
    if scratch := env.get("MLFLOWCTL_SCRATCH"):
        _clear(Path(scratch))
    argv = tracking_server.command(login=settings.auth)
    os.execve(argv[0], argv, environ)  # noqa: S606


def environment(settings: ContainerSettings, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of the server's process.

    Unlike the embedded stack's it keeps what the container was given: whoever wrote the deployment may
    set what MLflow, boto3 and libpq know (a proxy, a CA, PGSSLMODE).
    """
    password = secrets.required(env, DATABASE_PASSWORD, f"the password of the role {defaults.APP_ROLE}")
    url = tracking_server.database_url(
        settings.database_host, settings.database_port, settings.database_name, defaults.APP_ROLE
    )
    kept = {name: value for name, value in env.items() if value and name not in NOT_FOR_THE_SERVER}
    return {
        **kept,
        **defaults.SERVER_ENVIRONMENT,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)]),
        # Downloads pass through here in whole files: a disk, not a tmpfs.
        "TMPDIR": env.get("MLFLOWCTL_SCRATCH") or env.get("TMPDIR") or "/tmp",  # noqa: S108
        "PGPASSFILE": str(secrets.passfile(env, defaults.APP_ROLE, password)),
        "AWS_DEFAULT_REGION": settings.region,
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(allowed_hosts(settings)),
        "MLFLOWCTL_BIND": f"0.0.0.0:{PORT}",
        # AWS is an address that clients reach; a service of this network is not.
        VARIABLE: env.get(VARIABLE) or str(settings.s3_endpoint is None).lower(),
        **_login(settings, env),
        **tracking_server.application_options(url, f"s3://{settings.artifact_bucket}", direct=False),
    }


def allowed_hosts(settings: ContainerSettings) -> list[str]:
    """Host headers that the server answers: loopback under any published port, its name in the network."""
    local = [host for name in ("localhost", "127.0.0.1") for host in (name, f"{name}:*")]
    named = settings.host.rpartition(":")[0] if ":" in settings.host else settings.host
    return list(dict.fromkeys([*local, settings.host, named, *settings.allowed_hosts]))


def _login(settings: ContainerSettings, env: Mapping[str, str]) -> dict[str, str]:
    """What the server with login needs: a file with the key that signs the forms of MLflow's UI."""
    if not settings.auth:
        return {}
    key = secrets.required(env, SECRET_KEY, "the key that signs the forms of MLflow's UI")
    return {"MLFLOWCTL_SESSION_KEY_FILE": str(secrets.private_file(env, "session.key", key))}


def _clear(folder: Path) -> None:
    """Remove what a killed server left among its temporary files; they lie on a volume and would pile up."""
    try:
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    except OSError as exc:
        raise UsageError(
            f"MLFLOWCTL_SCRATCH={folder} cannot be used: {exc.strerror}.",
            state=secrets.NOTHING_DONE,
            next=f"Mount a volume on {folder} that user {os.getuid()} may write to",
        ) from None
