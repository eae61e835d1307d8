"""The tables of MLflow's login: which revision stands there, which this release needs, and the way between.

MLflow's own migration (``mlflow db upgrade``) leaves them alone: they have a version table of their own.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

from mlflowctl.database import revisions
from mlflowctl.database.connect import Database, admin
from mlflowctl.database.schema import REMEDY, SchemaTooNewError, app_url, wait_for
from mlflowctl.plan import Action, Step

LOCK = 0x6D6C6C67  # advisory lock: one bootstrap of the login at a time
TARGET = "login tables"


@dataclass(frozen=True)
class LoginTablesStep(Step):
    """Bring the login's tables to the revision of the installed release."""


def head_revision() -> str:
    """The revision that the installed MLflow needs."""
    return _revisions().head


def current_revision(connection: Any) -> str | None:
    """The revision that stands in the database; None where there are no tables yet.

    Args:
        connection: an open psycopg2 connection.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.alembic_version_auth')")
        if cursor.fetchone()[0] is None:
            return None
        cursor.execute("SELECT version_num FROM public.alembic_version_auth")
        row = cursor.fetchone()
        return row[0] if row else None


def plan(database: Database) -> Step:
    """The step of the tables; reads only.

    Raises:
        SchemaTooNewError: a newer MLflow has been here.
    """
    head = head_revision()
    with admin(database) as connection:
        current = current_revision(connection)
    if current == head:
        return LoginTablesStep(Action.UNCHANGED, TARGET, f"revision {head}")
    if current is None:
        return planned_for_empty()
    if current not in _revisions().known:
        raise SchemaTooNewError(
            f"The login's tables have revision {current}, which the installed MLflow does not know.",
            state="Nothing was changed. This MLflow cannot serve with this login.",
            next="Install the MLflow release that made them, or restore a backup from before it.",
        )
    return LoginTablesStep(Action.CHANGE, TARGET, f"revision {current} → {head}")


def planned_for_empty() -> Step:
    """The step where there are no tables yet."""
    return LoginTablesStep(Action.CREATE, TARGET, f"revision {head_revision()}")


def upgrade(database: Database) -> None:
    """Bring the tables to the installed release, as the application role.

    A second upgrade at the same time waits for the first, then finds nothing to do.
    """
    import sqlalchemy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its web framework
        from mlflow.server.auth.db import utils

    with admin(database) as lock_holder, lock_holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        lock_holder.commit()
        logging.getLogger("alembic").setLevel(logging.WARNING)
        engine = sqlalchemy.create_engine(app_url(database), poolclass=sqlalchemy.pool.NullPool)
        utils.migrate_if_needed(engine, "head")


def wait_until_current(url: str) -> None:
    """Block until the login's tables are those of the installed MLflow and there is an administrator."""
    head = head_revision()

    def lacking(connection: Any) -> str:
        current = current_revision(connection)
        if current != head:
            return f"the login's tables to become {head} (are {current}); {REMEDY}"
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM public.users WHERE is_admin)")
            made = cursor.fetchone()[0]
        return "" if made else "the first administrator; mlflowctl bootstrap makes it"

    wait_for(url, lacking)


def _revisions() -> revisions.Revisions:
    return revisions.installed("server", "auth", "db", "migrations")
