"""Restoring the database beside the one that serves, and putting it in its place in one transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl import bootstrap
from mlflowctl.backup import dump
from mlflowctl.backup.check import BackupSet
from mlflowctl.backup.manifest import damaged
from mlflowctl.database.connect import Database, admin
from mlflowctl.errors import ConflictError, MlflowctlError
from mlflowctl.plan import Step

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from mlflowctl.settings import Login

PATIENCE = 30.0  # seconds for other sessions to go
JOBS = 2


def beside(database: Database) -> Database:
    """The database that is being restored."""
    return replace(database, name=f"{database.name}_restoring")


def former(database: Database) -> str:
    """The name of the one that it replaces, until the restore has ended."""
    return f"{database.name}_replaced"


def fill(database: Database, found: BackupSet) -> None:
    """Restore the dump into a new database beside the one that serves, and count its rows.

    Raises:
        DamagedSetError: the dump is not what the manifest says.
        MlflowctlError: pg_restore failed.
    """
    new = beside(database)
    drop(database, new.name)
    with _maintenance(database) as connection, connection.cursor() as cursor:
        from psycopg2 import sql

        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0")
        cursor.execute(statement.format(sql.Identifier(new.name), sql.Identifier(database.app_role)))
    with found.place.local(found.dump) as path:
        _pg_restore(new, path)
    with admin(new) as connection, connection.cursor() as cursor:
        rows = dump.count_rows(cursor)
    if rows != found.header.database["rows"]:
        raise damaged(f"its dump restores to other rows: {differing(found, rows)}", str(found))


def differing(found: BackupSet, rows: dict[str, int]) -> str:
    """The tables whose number of rows is not what the manifest says."""
    said = found.header.database["rows"]
    wrong = [name for name in sorted({*said, *rows}) if said.get(name) != rows.get(name)]
    return ", ".join(
        f"{name} {rows.get(name, 'missing')} instead of {said.get(name, 'none')}" for name in wrong
    )


def _pg_restore(new: Database, path: Path) -> None:
    command = dump.program(
        "pg_restore", new, f"--dbname={new.name}", "--exit-on-error", f"--jobs={JOBS}", str(path)
    )
    dump.run(command, new)


def prepare(database: Database, login: Login | None, serving: Login | None = None) -> list[Step]:
    """Bootstrap the restored database: an older schema is migrated, guard and logins are put right.

    The first administrator and model servers' reader get the passwords of this stack, not those of the set.
    """
    new = beside(database)
    steps = bootstrap.plan_database(new, bootstrap.BootstrapOptions(), login, serving)
    return [bootstrap.execute_database_step(step, new) if step.effective else step for step in steps]


def swap(database: Database) -> None:
    """The restored database takes the place of the one that serves, in one transaction.

    Sessions on either are ended. Whoever connects afterwards is on the restored one.

    Raises:
        ConflictError: sessions kept coming back.
    """
    from psycopg2 import errors, sql

    new, old = beside(database).name, former(database)
    drop(database, old)
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    deadline = time.monotonic() + PATIENCE
    with admin(database, name=database.maintenance_name) as connection:
        while True:
            end_sessions(connection, database.name, new)
            try:
                with connection, connection.cursor() as cursor:
                    if exists(connection, database.name):
                        cursor.execute(rename.format(sql.Identifier(database.name), sql.Identifier(old)))
                    cursor.execute(rename.format(sql.Identifier(new), sql.Identifier(database.name)))
                return
            except errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise ConflictError(
                        f"Other sessions keep coming back to database {database.name}.",
                        state="The old data is as it was, and serves.",
                        next="Stop the programs that use it (SELECT * FROM pg_stat_activity), then repeat.",
                    ) from None


def drop(database: Database, name: str) -> None:
    """Drop a database of this restore or of one that was killed, if it is there."""
    from psycopg2 import sql

    with _maintenance(database) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def exists(connection: Connection, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        return cursor.fetchone() is not None


def end_sessions(connection: Connection, *names: str) -> None:
    """End every other session on these databases."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = ANY (%s) AND pid <> pg_backend_pid()",
            (list(names),),
        )


@contextlib.contextmanager
def _maintenance(database: Database) -> Iterator[Connection]:
    """A connection that may create and drop databases."""
    import psycopg2

    with admin(database, name=database.maintenance_name) as connection:
        connection.autocommit = True
        try:
            yield connection
        except psycopg2.Error as exc:
            raise MlflowctlError(
                f"PostgreSQL refused: {str(exc).strip().splitlines()[0]}",
                state="The old data is as it was, and serves.",
                next="mlflowctl doctor",
            ) from exc
