"""Opening database connections, and what to say when that fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl import defaults
from mlflowctl.database import passwords
from mlflowctl.errors import AccessError, MlflowctlError, UnavailableError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True)
class Database:
    """Where the registry's database is, and under which roles to work on it.

    Passwords stay in passfiles (one line ``host:port:database:user:password``, mode 0600) that libpq
    reads by itself.
    """

    host: str
    port: int
    name: str = defaults.DATABASE_NAME
    app_role: str = defaults.APP_ROLE
    app_passfile: Path | None = None
    admin_role: str = defaults.ADMIN_ROLE
    admin_passfile: Path | None = None
    maintenance_name: str = "postgres"

    def app_password(self) -> str:
        """The application role's password, for setting it in the database."""
        return passwords.read(self.app_passfile)


def connect_as_admin(database: Database, *, name: str | None = None) -> Connection:
    """A connection with the rights of bootstrap; ``name`` is another database than the registry's.

    Raises:
        UnavailableError: nothing answers there.
        AccessError: the password or a right is missing.
    """
    return _connect(database, name or database.name, database.admin_role, database.admin_passfile)


def connect_as_app(database: Database) -> Connection:
    """A connection with the rights of the MLflow server. Raises like :func:`connect_as_admin`."""
    return _connect(database, database.name, database.app_role, database.app_passfile)


@contextlib.contextmanager
def admin(database: Database, *, name: str | None = None) -> Iterator[Connection]:
    """An admin connection that is closed at the end of the block."""
    connection = connect_as_admin(database, name=name)
    try:
        yield connection
    finally:
        connection.close()


def _connect(database: Database, name: str, role: str, passfile: Path | None) -> Connection:
    import psycopg2

    try:
        return psycopg2.connect(
            host=database.host,
            port=database.port,
            dbname=name,
            user=role,
            passfile=str(passfile) if passfile else None,
            connect_timeout=5,
            application_name="mlflowctl",
        )
    except psycopg2.OperationalError as exc:
        raise translate(exc, f"{role} at {database.host}:{database.port}/{name}") from None


def translate(exc: Exception, who: str) -> MlflowctlError:
    """The typed error for a connection that failed; ``who`` is "role at host:port/database"."""
    text = str(exc).strip()
    lines = text.splitlines() or [exc.__class__.__name__]
    # libpq adds where the password came from in a line of its own; the reason stands before it.
    last = next((line for line in lines if "FATAL" in line), lines[-1])
    refused = ("password authentication failed", "no password supplied", "no pg_hba.conf entry")
    if any(sign in text for sign in refused):
        return AccessError(
            f"PostgreSQL refused {who}: {last}",
            state="Nothing was changed.",
            next="Check the passfile of this role (mlflowctl config show names it).",
        )
    if "does not exist" in text:
        return MissingDatabaseError(
            f"PostgreSQL refused {who}: {last}", state="Nothing was changed.", next="mlflowctl bootstrap"
        )
    return UnavailableError(
        f"PostgreSQL does not answer {who}: {last}",
        state="Nothing was changed.",
        next="mlflowctl status, then mlflowctl up if it is not running",
    )


class MissingDatabaseError(MlflowctlError):
    """The database or the role is not there: bootstrap has not run, or it was dropped."""

    code = "missing_database"
