"""The registry guard: installing, inspecting and removing it (docs/guard.md says what it does).

Every function takes an open, idle psycopg2 connection with admin rights and runs in one transaction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflowctl.database import catalog, drift
from mlflowctl.database.catalog import Registry
from mlflowctl.database.guard_install import build, pause_in_place, remove
from mlflowctl.database.guard_state import GuardState, compare
from mlflowctl.database.manifest import DEFAULTS, VERSION, GuardSettings
from mlflowctl.database.session import INSTALL_LOCK, LOCK_SPACE, acting_as, transact
from mlflowctl.errors import ConflictError, FindingsError, MlflowctlError, UnavailableError
from mlflowctl.plan import Action, Step

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

__all__ = [
    "DEFAULTS",
    "MIGRATION_OPTIONS",
    "VERSION",
    "GuardSettings",
    "GuardState",
    "GuardStep",
    "apply",
    "inspect",
    "install",
    "migration",
    "pause",
    "plan",
    "planned_for_empty",
    "uninstall",
]

TARGET = "registry guard"
# libpq options of the session that migrates while the registry is closed to all others.
MIGRATION_OPTIONS = "-c mlflowctl.migration=on"


@dataclass(frozen=True)
class GuardStep(Step):
    """Install the guard, bring it up to date, or put it right."""

    settings: GuardSettings = DEFAULTS


def inspect(conn: Connection) -> GuardState:
    """Compare what stands in the catalog with the packaged guard; reads only.

    Raises:
        UnavailableError: MLflow's tables are not there.
    """
    return transact(conn, lambda cursor: compare(cursor, catalog.locate(cursor)))


def plan(conn: Connection, settings: GuardSettings = DEFAULTS, *, mend: bool = False) -> list[Step]:
    """The guard's step; reads only.

    Args:
        conn: an idle admin connection.
        settings: what the guard shall enforce.
        mend: drift is going to be mended before this step runs (``drift.plan(conn, mend=True)``). Otherwise
            drift holds the installation up, and the step only asks for attention.
    """
    state = inspect(conn)
    if state.version is not None and state.version > VERSION:
        return [GuardStep(Action.ATTENTION, TARGET, _newer(state.version), settings)]
    if state.condition == "intact" and state.settings == settings:
        return [GuardStep(Action.UNCHANGED, TARGET, f"version {VERSION}, {settings}", settings)]
    if not mend and drift.find(conn, settings):
        return [
            GuardStep(Action.ATTENTION, TARGET, "waits until the drift in the registry is mended", settings)
        ]
    action = Action.CREATE if state.condition == "absent" else Action.CHANGE
    return [GuardStep(action, TARGET, _why(state, settings), settings)]


def planned_for_empty(settings: GuardSettings = DEFAULTS) -> list[Step]:
    """The guard's step when MLflow's tables are still to be created."""
    return [GuardStep(Action.CREATE, TARGET, f"version {VERSION}, {settings}", settings)]


def apply(step: Step, conn: Connection) -> Step:
    """Carry out a step of :func:`plan`; raises like :func:`install`."""
    assert isinstance(step, GuardStep)
    install(conn, step.settings)
    return step


def install(conn: Connection, settings: GuardSettings = DEFAULTS) -> None:
    """Install the guard, or replace whatever stands of it; the history is kept.

    Safe when two run at once, and while clients work: they wait for less than a second.

    Raises:
        FindingsError: the registry already breaks the rules; nothing is changed.
        ConflictError: the tables stay locked, or a newer mlflowctl installed the guard.
        UnavailableError: MLflow's tables are not there, or their schema is too old.
        AccessError: a right is missing.
    """

    def work(cursor: Cursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_SPACE, INSTALL_LOCK))
        registry = catalog.locate(cursor)
        if not catalog.has_workspaces(cursor, registry):
            raise UnavailableError(
                "MLflow's schema is too old for the guard: its registry tables have no workspaces.",
                state="Nothing was changed.",
                next="mlflowctl bootstrap migrates the schema first",
            )
        state = compare(cursor, registry)
        if state.version is not None and state.version > VERSION:
            raise ConflictError(
                _newer(state.version), state="Nothing was changed.", next="Upgrade mlflowctl."
            )
        if state.condition == "intact" and state.settings == settings:
            return
        with acting_as(cursor, registry.owner):
            _lock_tables(cursor, registry)
        _refuse_drift(drift.read(cursor, registry, settings))
        build(cursor, registry, settings)
        after = compare(cursor, registry)
        if after.condition != "intact":
            raise MlflowctlError(
                f"The guard could not be put right: {'; '.join(after.differences)}.",
                state="Nothing was changed.",
                next="docs/guard.md, section Repair",
            )

    transact(conn, work)


def uninstall(conn: Connection, *, drop_history: bool = False) -> None:
    """Remove the guard; MLflow behaves as before it. Does nothing if there is none.

    Args:
        conn: an idle admin connection.
        drop_history: remove the history as well. Otherwise it stays, append-only.
    """

    def work(cursor: Cursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_SPACE, INSTALL_LOCK))
        registry = catalog.locate(cursor)
        with acting_as(cursor, registry.owner):
            _lock_tables(cursor, registry)
        remove(cursor, history=drop_history)

    transact(conn, work)


def pause(conn: Connection) -> None:
    """Take the guard off the tables for a schema migration and close the registry to all other clients.

    They get HTTP 503, which MLflow's clients retry. :func:`install` opens the registry again.
    """

    def work(cursor: Cursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_SPACE, INSTALL_LOCK))
        registry = catalog.locate(cursor)
        settings = compare(cursor, registry).settings or DEFAULTS
        with acting_as(cursor, registry.owner):
            _lock_tables(cursor, registry)
        pause_in_place(cursor, registry, settings)

    transact(conn, work)


@contextlib.contextmanager
def migration(conn: Connection, settings: GuardSettings | None = None) -> Iterator[None]:
    """Around a schema migration: the guard makes way, the registry is closed, the guard comes back.

    The migrating session must carry :data:`MIGRATION_OPTIONS`. Without a guard, or without tables, nothing
    is done. If the migration fails, the guard is put back on the old schema if that is possible; otherwise
    the registry stays closed until bootstrap ends the work.

    Args:
        conn: an idle admin connection, not the one that migrates.
        settings: what the guard enforces afterwards; by default what it enforced before.
    """
    try:
        before = inspect(conn)
    except UnavailableError:
        before = GuardState("absent")
    if before.condition == "absent":
        yield
        return
    wanted = settings or before.settings or DEFAULTS
    pause(conn)
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            install(conn, wanted)
        raise
    install(conn, wanted)


def _lock_tables(cursor: Cursor, registry: Registry) -> None:
    """In the order in which MLflow's own transactions write them, the strongest lock at once."""
    for table in catalog.TABLES:
        mode = "ACCESS EXCLUSIVE" if table == "model_versions" else "SHARE ROW EXCLUSIVE"
        cursor.execute(f"LOCK TABLE {registry.table(table)} IN {mode} MODE")


def _refuse_drift(found: list[drift.Drift]) -> None:
    if found:
        raise FindingsError(
            "The registry already breaks the rules of the guard: " + "; ".join(str(d) for d in found) + ".",
            state="Nothing was changed; the guard is not installed.",
            next="Look at each model, then: mlflowctl bootstrap --mend",
        )


def _why(state: GuardState, settings: GuardSettings) -> str:
    if state.condition == "absent":
        return f"version {VERSION}, {settings}"
    if state.condition == "outdated":
        return f"version {state.version} → {VERSION}"
    if state.differences:
        return "put right: " + "; ".join(state.differences)
    return f"{state.settings} → {settings}"


def _newer(version: int) -> str:
    return f"A newer mlflowctl installed version {version} of the guard; this one knows version {VERSION}."
