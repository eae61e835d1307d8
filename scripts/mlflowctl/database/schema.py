"""MLflow's database schema: which revision stands there, which this release needs, and the way between."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflowctl.database import revisions
from mlflowctl.database.connect import Database, admin
from mlflowctl.errors import MlflowctlError
from mlflowctl.plan import Action, Step

_log = logging.getLogger("mlflowctl.server")
_LOCK = 0x6D6C666C  # advisory lock: one migration at a time
REMEDY = "mlflowctl bootstrap does that"


class SchemaTooNewError(MlflowctlError):
    """The database was migrated by a newer MLflow than this one."""

    code = "schema_too_new"


@dataclass(frozen=True)
class SchemaStep(Step):
    """Bring MLflow's tables to the revision of the installed release."""


def head_revision() -> str:
    """The revision that the installed MLflow needs, read from its migration scripts."""
    return _revisions().head


def current_revision(connection: Any) -> str | None:
    """The revision that stands in the database, or None for an empty one.

    Args:
        connection: an open psycopg2 connection.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.alembic_version')")
        if cursor.fetchone()[0] is None:
            return None
        cursor.execute("SELECT version_num FROM public.alembic_version")
        row = cursor.fetchone()
        return row[0] if row else None


def knows(revision: str) -> bool:
    """Whether the installed MLflow can migrate from this revision, or has it."""
    return revision in _revisions().known


def plan(database: Database) -> list[Step]:
    """The schema step; reads only.

    Raises:
        SchemaTooNewError: a newer MLflow has been here.
    """
    head = head_revision()
    with admin(database) as connection:
        current = current_revision(connection)
    if current == head:
        return [SchemaStep(Action.UNCHANGED, "MLflow schema", f"revision {head}")]
    if current is None:
        return [SchemaStep(Action.CREATE, "MLflow schema", f"revision {head}")]
    if not knows(current):
        raise SchemaTooNewError(
            f"The database schema has revision {current}, which the installed MLflow does not know.",
            state="Nothing was changed. This MLflow cannot serve from this database.",
            next="Install the MLflow release that made this schema, or restore a backup from before it.",
        )
    return [SchemaStep(Action.CHANGE, "MLflow schema", f"revision {current} → {head}")]


def planned_for_missing_database() -> list[Step]:
    """The schema step when the database itself is still to be created."""
    return [SchemaStep(Action.CREATE, "MLflow schema", f"revision {head_revision()}")]


def upgrade(database: Database, *, options: str = "") -> None:
    """Bring the schema to the installed release, as the application role, in one transaction.

    A second upgrade at the same time waits for the first, then finds nothing to do.

    Args:
        database: where.
        options: libpq options of the migrating session.
    """
    import sqlalchemy
    from mlflow.store.db import utils as mlflow_db

    with admin(database) as lock_holder, lock_holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        lock_holder.commit()
        engine = sqlalchemy.create_engine(
            app_url(database), poolclass=sqlalchemy.pool.NullPool, connect_args={"options": options}
        )
        # Alembic would announce every one of some hundred historical steps.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        if mlflow_db._all_tables_exist(engine):
            mlflow_db._upgrade_db(engine)
        else:
            mlflow_db._initialize_tables(engine)


def app_url(database: Database) -> Any:
    """SQLAlchemy URL of the application role; the password stays in its passfile."""
    from sqlalchemy.engine import URL

    query = {"passfile": str(database.app_passfile)} if database.app_passfile else {}
    return URL.create(
        "postgresql+psycopg2",
        username=database.app_role,
        host=database.host,
        port=database.port,
        database=database.name,
        query=query,
    )


def wait_until_current(url: str) -> None:
    """Block until the database at ``url`` has the schema of the installed MLflow.

    Called by the server before it opens its port, so that it never migrates (two workers that try
    is a race that MLflow loses) and never answers from half a schema.
    """
    head = head_revision()

    def lacking(connection: Any) -> str:
        current = current_revision(connection)
        return "" if current == head else f"the schema to become {head} (is {current}); {REMEDY}"

    wait_for(url, lacking)


def wait_for(url: str, lacking: Callable[[Any], str], *, interval: float = 0.2) -> None:
    """Block until nothing is lacking in the database at ``url``.

    Waits for ever on purpose: the supervisor, not this loop, decides when to stop trying; the log says
    what is waited for.

    Args:
        url: SQLAlchemy URL without a password.
        lacking: what is waited for, told by an open psycopg2 connection; "" for nothing.
        interval: seconds between two looks.
    """
    import psycopg2

    libpq_url = url.replace("postgresql+psycopg2://", "postgresql://", 1)
    said = ""
    while True:
        try:
            connection = psycopg2.connect(libpq_url, connect_timeout=5)
            try:
                waiting = lacking(connection)
            finally:
                connection.close()
        except psycopg2.Error as exc:
            waiting = f"the database: {str(exc).strip().splitlines()[0]}"
        if not waiting:
            return
        if waiting != said:
            _log.warning("waiting for %s", waiting)
            said = waiting
        time.sleep(interval)


def _revisions() -> revisions.Revisions:
    return revisions.installed("store", "db_migrations")
