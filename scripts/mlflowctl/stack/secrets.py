"""Secrets of an embedded stack: made once, one 0600 file each, handed to processes by path only.

The formats are those that libpq (``passfile``) and boto3 (``AWS_SHARED_CREDENTIALS_FILE``) read by
themselves, so no password ever stands in a command line, a URL or an environment.
"""

from __future__ import annotations

import configparser
import io
import secrets as random_secrets
from dataclasses import dataclass
from pathlib import Path

from mlflowctl import defaults
from mlflowctl.database import passwords
from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic
from mlflowctl.stack.layout import Layout, quoted


@dataclass(frozen=True)
class S3Keys:
    """An S3 key pair."""

    access_key_id: str
    secret_access_key: str


def admin_passfile(layout: Layout) -> Path:
    return layout.secrets / "postgres-admin.pgpass"


def app_passfile(layout: Layout) -> Path:
    return layout.secrets / "postgres-mlflow.pgpass"


def s3_credentials(layout: Layout) -> Path:
    return layout.secrets / "s3-credentials.ini"


def admin_password(layout: Layout) -> Path:
    """The password of MLflow's first user, where the stack asks for a login."""
    return layout.secrets / "mlflow-admin.password"


def session_key(layout: Layout) -> Path:
    """What signs the forms of MLflow's UI, where the stack asks for a login."""
    return layout.secrets / "mlflow-session.key"


def s3_server_credentials(layout: Layout) -> Path:
    """The server's own keys where the stack asks for a login: for the artifact bucket alone."""
    return layout.secrets / "s3-server.ini"


def login_secrets(layout: Layout) -> tuple[Path, ...]:
    """What a stack has beyond the others that asks for a login."""
    return admin_password(layout), session_key(layout), s3_server_credentials(layout)


def missing(layout: Layout, *, login: bool = False) -> list[Path]:
    """Secret files that do not exist yet; ``login``: whether the stack asks for one."""
    files = [admin_passfile(layout), app_passfile(layout), s3_credentials(layout)]
    files += login_secrets(layout) if login else []
    return [path for path in files if not path.exists()]


def generate(layout: Layout, *, login: bool = False) -> None:
    """Make what is missing; an existing secret is never replaced."""
    for path, role in (
        (admin_passfile(layout), defaults.ADMIN_ROLE),
        (app_passfile(layout), defaults.APP_ROLE),
    ):
        if not path.exists():
            write_atomic(path, passwords.line(role, random_secrets.token_urlsafe(32)))
    for path in (s3_credentials(layout), s3_server_credentials(layout)):
        if not path.exists() and (login or path == s3_credentials(layout)):
            write_atomic(path, credentials_text(new_s3_keys()))
    for path in (admin_password(layout), session_key(layout)):
        if login and not path.exists():
            write_atomic(path, random_secrets.token_urlsafe(24) + "\n")


def new_s3_keys() -> S3Keys:
    """A random key pair, in the alphabet that AWS's have."""
    return S3Keys("MC" + random_secrets.token_hex(9).upper(), random_secrets.token_urlsafe(30))


def s3_keys(layout: Layout, path: Path | None = None) -> S3Keys:
    """The key pair of the stack's object store, or the one in another file of the stack.

    Raises:
        UsageError: the file is missing or damaged.
    """
    path = path or s3_credentials(layout)
    try:
        return keys_from(_read(path))
    except (configparser.Error, KeyError) as exc:
        raise _unreadable(path, str(exc)) from None


def keys_from(text: str) -> S3Keys:
    """The key pair in a credentials file of boto3. Raises configparser.Error or KeyError."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    section = parser["default"]
    return S3Keys(section["aws_access_key_id"], section["aws_secret_access_key"])


def session_token_from(text: str) -> str | None:
    """The session token of temporary keys in a credentials file of boto3, if they are temporary."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser["default"].get("aws_session_token")


def credentials_text(keys: S3Keys) -> str:
    """A credentials file of boto3."""
    parser = configparser.RawConfigParser()
    parser["default"] = {
        "aws_access_key_id": keys.access_key_id,
        "aws_secret_access_key": keys.secret_access_key,
    }
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as exc:
        raise _unreadable(path, exc.strerror or str(exc)) from None


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"The secret {path} cannot be used: {why}.",
        state="The stack's data is untouched.",
        next=f"Restore the file from a backup, or delete it and run "
        f"mlflowctl up --data-dir {quoted(path.parent.parent)} (a new secret is made and set).",
    )
