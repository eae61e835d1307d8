"""The environment of a container of the project's own image: every variable is read and checked here.

The same variables in Compose and in ECS; docker/README.md lists them.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlflowctl import defaults
from mlflowctl.container import secrets
from mlflowctl.database.connect import Database
from mlflowctl.errors import UsageError
from mlflowctl.settings import CONTAINER, Context, Login
from mlflowctl.storage.settings import S3Settings

DATABASE_PASSWORD = "MLFLOWCTL_DATABASE_PASSWORD"  # noqa: S105  (names of variables)
DATABASE_ADMIN_PASSWORD = "MLFLOWCTL_DATABASE_ADMIN_PASSWORD"  # noqa: S105
ADMIN_PASSWORD = "MLFLOWCTL_ADMIN_PASSWORD"  # noqa: S105
SERVING_PASSWORD = "MLFLOWCTL_SERVING_PASSWORD"  # noqa: S105
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
HOST = "MLFLOWCTL_DATABASE_HOST"
SECRET_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"  # noqa: S105


@dataclass(frozen=True)
class ContainerSettings:
    """What the variables say, without any secret.

    Attributes:
        tracking_uri: how others in the network reach the server (MLFLOW_TRACKING_URI).
        database_host, database_port, database_name: PostgreSQL; the host is "" where nothing needs it.
        s3_endpoint: the object store; None means AWS itself.
        region: the region that S3 requests are signed for.
        artifact_bucket, registry_bucket: names of the two buckets.
        admin_username: MLflow's first user.
        auth: whether the server asks for a login.
        allowed_hosts: further names that the server answers to.
    """

    tracking_uri: str
    database_host: str
    database_port: int
    database_name: str
    s3_endpoint: str | None
    region: str
    artifact_bucket: str
    registry_bucket: str
    admin_username: str
    auth: bool
    allowed_hosts: tuple[str, ...]

    @property
    def host(self) -> str:
        """The Host header that clients in the network send: "mlflow:5000"."""
        return urlsplit(self.tracking_uri).netloc.rpartition("@")[2]


def read(env: Mapping[str, str], *, database: bool = True) -> ContainerSettings:
    """The settings of this container.

    Args:
        env: the environment.
        database: whether the container needs the database; a model server does not.

    Raises:
        UsageError: a variable is missing or makes no sense; the message names it.
    """
    return ContainerSettings(
        tracking_uri=_tracking_uri(env),
        database_host=_needed(env, HOST, "the host of PostgreSQL") if database else env.get(HOST, ""),
        database_port=_port(env, "MLFLOWCTL_DATABASE_PORT", defaults.DATABASE_PORT),
        database_name=env.get("MLFLOWCTL_DATABASE_NAME") or defaults.DATABASE_NAME,
        s3_endpoint=env.get("MLFLOW_S3_ENDPOINT_URL") or None,
        region=env.get("AWS_DEFAULT_REGION") or env.get("AWS_REGION") or defaults.REGION,
        artifact_bucket=_needed(env, "MLFLOWCTL_ARTIFACT_BUCKET", "the bucket of models and artifacts"),
        registry_bucket=_needed(env, "MLFLOWCTL_REGISTRY_BUCKET", "the bucket of ledger and evidence"),
        admin_username=env.get("MLFLOWCTL_ADMIN_USERNAME") or defaults.ADMIN_USERNAME,
        auth=_switch(env, "MLFLOWCTL_AUTH", default=True),
        allowed_hosts=tuple(
            host.strip() for host in env.get("MLFLOWCTL_ALLOWED_HOSTS", "").split(",") if host.strip()
        ),
    )


def context(reason: str, env: Mapping[str, str]) -> Context:
    """The context in which commands run inside this container.

    The database belongs to it only where the admin's password is (the bootstrap container).

    Args:
        reason: what made this the context, in words.
        env: the environment.

    Raises:
        UsageError: a variable or a secret is missing or makes no sense.
    """
    settings = read(env, database=_given(env, DATABASE_ADMIN_PASSWORD))
    return Context(
        name=CONTAINER,
        chosen_by=reason,
        tracking_uri=settings.tracking_uri,
        login=_login(settings, env),
        serving_login=_serving_login(settings, env),
        s3=s3(settings, env),
        database=_database(settings, env),
        origins=_origins(reason, env),
    )


def _given(env: Mapping[str, str], name: str) -> bool:
    return bool(env.get(name) or env.get(f"{name}_FILE"))


def s3(settings: ContainerSettings, env: Mapping[str, str]) -> S3Settings:
    """The object store, with the keys of the credentials file or the variables, else with AWS's chain."""
    key, secret = _keys(env)
    return S3Settings(
        endpoint_url=settings.s3_endpoint,
        region=settings.region,
        access_key_id=key or None,
        secret_access_key=secret or None,
        session_token=env.get("AWS_SESSION_TOKEN") or None,
        artifact_bucket=settings.artifact_bucket,
        registry_bucket=settings.registry_bucket,
        owned=settings.s3_endpoint is not None,  # buckets in AWS belong to Terraform
    )


def _keys(env: Mapping[str, str]) -> tuple[str, str]:
    path = env.get("AWS_SHARED_CREDENTIALS_FILE", "")
    if env.get("AWS_ACCESS_KEY_ID") or not path:
        return env.get("AWS_ACCESS_KEY_ID", ""), env.get("AWS_SECRET_ACCESS_KEY", "")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(Path(path).read_text())
        section = parser[env.get("AWS_PROFILE", "default")]
        return section["aws_access_key_id"], section["aws_secret_access_key"]
    except (OSError, ValueError, configparser.Error, KeyError) as exc:
        raise UsageError(
            f"The secret {path} cannot be used (AWS_SHARED_CREDENTIALS_FILE): {exc}.",
            state=secrets.NOTHING_DONE,
            next="mlflowctl compose init, then docker compose up (in Compose); else mount the secret there",
        ) from None


def _login(settings: ContainerSettings, env: Mapping[str, str]) -> Login | None:
    """A user of its own, as a model server has; else the administrator, where its password is."""
    if not settings.auth:
        return None
    if user := env.get(USERNAME):
        return Login(user, secrets.required(env, PASSWORD, f"the password of {user!r}"))
    password = secrets.optional(env, ADMIN_PASSWORD)
    return Login(settings.admin_username, password) if password else None


def _serving_login(settings: ContainerSettings, env: Mapping[str, str]) -> Login | None:
    password = secrets.optional(env, SERVING_PASSWORD) if settings.auth else ""
    return Login(defaults.SERVING_USERNAME, password) if password else None


def _database(settings: ContainerSettings, env: Mapping[str, str]) -> Database | None:
    admin = secrets.optional(env, DATABASE_ADMIN_PASSWORD)
    if not admin:
        return None
    password = secrets.required(env, DATABASE_PASSWORD, f"the password of the role {defaults.APP_ROLE}")
    return Database(
        host=settings.database_host,
        port=settings.database_port,
        name=settings.database_name,
        app_passfile=secrets.passfile(env, defaults.APP_ROLE, password),
        admin_passfile=secrets.passfile(env, defaults.ADMIN_ROLE, admin),
    )


def _tracking_uri(env: Mapping[str, str]) -> str:
    uri = _needed(env, "MLFLOW_TRACKING_URI", "how others reach the server").rstrip("/")
    if urlsplit(uri).scheme not in ("http", "https") or not urlsplit(uri).hostname:
        raise _wrong("MLFLOW_TRACKING_URI", uri, "an address like http://mlflow:5000")
    return uri


def _needed(env: Mapping[str, str], name: str, meaning: str) -> str:
    value = env.get(name, "")
    if not value:
        raise UsageError(
            f"{name} is not set ({meaning}).",
            state=secrets.NOTHING_DONE,
            next=f"Set {name} in the environment of this container",
        )
    return value


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise _wrong(name, text, "a number between 1 and 65535")
    return int(text)


def _switch(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = (env.get(name) or str(default)).lower()
    if text not in ("true", "false"):
        raise _wrong(name, text, "true or false")
    return text == "true"


def _wrong(name: str, value: str, wanted: str) -> UsageError:
    return UsageError(
        f"{name}={value!r} makes no sense: it must be {wanted}.",
        state=secrets.NOTHING_DONE,
        next=f"Correct {name} in the environment of this container",
    )


def _origins(reason: str, env: Mapping[str, str]) -> dict[str, str]:
    """Which variable each setting comes from."""
    own = bool(env.get(USERNAME))
    return {
        "context": reason,
        "tracking_uri": "MLFLOW_TRACKING_URI",
        "tracking_username": USERNAME if own else "MLFLOWCTL_ADMIN_USERNAME",
        "tracking_password": f"{PASSWORD if own else ADMIN_PASSWORD}[_FILE]",
        "s3_endpoint": "MLFLOW_S3_ENDPOINT_URL",
        "s3_region": "AWS_DEFAULT_REGION",
        "s3_access_key_id": "AWS_SHARED_CREDENTIALS_FILE",
        "s3_secret_access_key": "AWS_SHARED_CREDENTIALS_FILE",
        "artifact_bucket": "MLFLOWCTL_ARTIFACT_BUCKET",
        "registry_bucket": "MLFLOWCTL_REGISTRY_BUCKET",
        "database": HOST,
        "database_passfile": f"{DATABASE_PASSWORD}[_FILE]",
        "database_admin_passfile": f"{DATABASE_ADMIN_PASSWORD}[_FILE]",
    }
