"""The login role of the MLflow server and the database that it owns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflowctl.database.connect import Database, MissingDatabaseError, admin, connect_as_app
from mlflowctl.errors import AccessError
from mlflowctl.plan import Action, Step

if TYPE_CHECKING:
    from psycopg2 import sql
    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True)
class RoleStep(Step):
    """Create the role, or set its password again."""


@dataclass(frozen=True)
class DatabaseStep(Step):
    """Create the database."""


def plan(database: Database) -> list[Step]:
    """What the role and the database need; reads only."""
    role, name = database.app_role, database.name
    with admin(database, name=database.maintenance_name) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
        has_role = cursor.fetchone() is not None
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        has_database = cursor.fetchone() is not None
    return [_role_step(database, has_role), _database_step(name, has_database)]


def _role_step(database: Database, exists: bool) -> Step:
    target = f"database login {database.app_role}"
    if not exists:
        return RoleStep(Action.CREATE, target)
    try:
        connect_as_app(database).close()
    except AccessError:
        return RoleStep(Action.CHANGE, target, "its password is not the one on file")
    except MissingDatabaseError:
        pass  # it logged in; the database comes with its own step
    return RoleStep(Action.UNCHANGED, target)


def _database_step(name: str, exists: bool) -> Step:
    return DatabaseStep(Action.UNCHANGED if exists else Action.CREATE, f"database {name}")


def apply(step: Step, database: Database) -> None:
    """Carry out one step. Safe when two run at once: the loser finds the work done.

    Args:
        step: a step of :func:`plan`.
        database: where.

    Raises:
        UsageError: the role's passfile is missing or damaged.
    """
    import psycopg2
    from psycopg2 import sql

    with admin(database, name=database.maintenance_name) as connection:
        connection.autocommit = True  # CREATE DATABASE does not run inside a transaction
        role, name = sql.Identifier(database.app_role), sql.Identifier(database.name)
        try:
            with connection.cursor() as cursor:
                if isinstance(step, RoleStep):
                    verb = sql.SQL("CREATE ROLE" if step.action is Action.CREATE else "ALTER ROLE")
                    verifier = _scram_verifier(connection, database)
                    statement = sql.SQL("{} {} LOGIN PASSWORD {}")
                    cursor.execute(statement.format(verb, role, sql.Literal(verifier)))
                elif isinstance(step, DatabaseStep):
                    _become_able_to_own(connection, role)
                    cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
        except (psycopg2.errors.DuplicateObject, psycopg2.errors.DuplicateDatabase):
            return
        except psycopg2.errors.UniqueViolation:  # two CREATEs in the same instant
            return


def _become_able_to_own(connection: Connection, role: sql.Identifier) -> None:
    """Let an administrator who is no superuser (RDS has none) make a database that the role owns."""
    from psycopg2 import sql

    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        found = cursor.fetchone()
        if found and not found[0]:
            cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(role))


def _scram_verifier(connection: Connection, database: Database) -> str:
    """What PostgreSQL stores instead of the password; the password itself never travels there."""
    from psycopg2.extensions import encrypt_password

    password = database.app_password()
    verifier: str = encrypt_password(password, database.app_role, connection, "scram-sha-256")
    return verifier
