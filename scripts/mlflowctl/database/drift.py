"""What already breaks the guard's rules in a registry, and how to mend it.

The guard keeps these states from arising; a registry that lived without it may have them. They are mended
only when a person asks (``bootstrap --mend``), because each mending decides who serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mlflowctl.database import catalog
from mlflowctl.database.catalog import Registry
from mlflowctl.database.manifest import DEFAULTS, GuardSettings
from mlflowctl.database.session import acting_as, transact
from mlflowctl.errors import ConflictError
from mlflowctl.plan import Action, Step

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

Kind = Literal[
    "several-champions", "champion-alias", "several-challengers", "challenger-alias", "previous-alias"
]
_ALIAS_OF = {"Production": "champion", "Staging": "challenger"}


@dataclass(frozen=True)
class Drift:
    """One thing in the registry that the guard would not have let happen.

    Attributes:
        kind: which rule it breaks.
        workspace: workspace of the model.
        model: name of the model.
        problem: what stands there now, for people.
        remedy: what mending does, for people.
        alias: the alias that mending sets or removes.
        keep: the version that the alias names afterwards; None removes the alias.
        archive: the versions that mending archives.
    """

    kind: Kind
    workspace: str
    model: str
    problem: str
    remedy: str
    alias: str
    keep: int | None = None
    archive: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"

    @property
    def name(self) -> str:
        """How a person names the model."""
        return f"model {self.model}" + (
            "" if self.workspace == "default" else f" (workspace {self.workspace})"
        )


@dataclass(frozen=True)
class DriftStep(Step):
    """Mend one drift, or ask a person to."""

    drift: Drift | None = None
    settings: GuardSettings = DEFAULTS


@dataclass
class _Model:
    """The versions in one active stage or under a guarded alias, of one model."""

    stages: dict[str, list[tuple[int, int]]]  # stage → (last updated, version)
    aliases: dict[str, tuple[int, bool]]  # alias → (version, whether that version exists)


def find(conn: Connection, settings: GuardSettings = DEFAULTS) -> list[Drift]:
    """Everything that breaks the rules under ``settings``; reads only."""
    return transact(conn, lambda cursor: read(cursor, catalog.locate(cursor), settings))


def plan(conn: Connection, settings: GuardSettings = DEFAULTS, *, mend: bool = False) -> list[Step]:
    """One step per drift: asks for attention, or mends it if ``mend``; reads only."""
    action = Action.CHANGE if mend else Action.ATTENTION
    return [
        DriftStep(action, d.name, f"{d.problem}; {'' if mend else 'mending would: '}{d.remedy}", d, settings)
        for d in find(conn, settings)
    ]


def apply(step: Step, conn: Connection) -> Step:
    """Carry out a step of :func:`plan`; raises like :func:`mend`."""
    assert isinstance(step, DriftStep)
    assert step.drift is not None
    mend(conn, step.drift, step.settings)
    return step


def mend(conn: Connection, drift: Drift, settings: GuardSettings = DEFAULTS) -> str:
    """Mend one drift: keep the version that the alias names, else the one last updated.

    Returns:
        What was done, for people.

    Raises:
        ConflictError: the registry is no longer in the state in which the drift was found.
    """

    def work(cursor: Cursor) -> str:
        registry = catalog.locate(cursor)
        with acting_as(cursor, registry.owner):
            cursor.execute(f"LOCK TABLE {registry.table('model_versions')} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(
                f"LOCK TABLE {registry.table('registered_model_aliases')} IN SHARE ROW EXCLUSIVE MODE"
            )
        if drift not in read(cursor, registry, settings):
            raise ConflictError(
                f"{drift.name} has changed since it was looked at.",
                state="Nothing was changed.",
                next="Look again: mlflowctl bootstrap --dry-run",
            )
        with acting_as(cursor, registry.owner):
            _mend(cursor, registry, drift)
        return f"{drift.name}: {drift.remedy}"

    return transact(conn, work)


def read(cursor: Cursor, registry: Registry, settings: GuardSettings) -> list[Drift]:
    """Like :func:`find`, inside the caller's transaction."""
    if not catalog.has_workspaces(cursor, registry):
        return []  # a schema from before the guard's time; the migration comes first
    with acting_as(cursor, registry.owner):
        models = _models(cursor, registry)
    found: list[Drift] = []
    for (workspace, name), model in sorted(models.items()):
        found += _stage_drift(workspace, name, model, "Production", may_be_several=False)
        found += _stage_drift(workspace, name, model, "Staging", may_be_several=settings.several_challengers)
        found += _previous_drift(workspace, name, model)
    return found


def _models(cursor: Cursor, registry: Registry) -> dict[tuple[str, str], _Model]:
    models: dict[tuple[str, str], _Model] = {}
    versions, aliases = registry.table("model_versions"), registry.table("registered_model_aliases")
    cursor.execute(
        f"""SELECT workspace, name, version, current_stage, coalesce(last_updated_time, 0) FROM {versions}
             WHERE current_stage IN ('Production', 'Staging')"""  # noqa: S608
    )
    for workspace, name, version, stage, updated in cursor.fetchall():
        model = models.setdefault((workspace, name), _Model({}, {}))
        model.stages.setdefault(stage, []).append((updated, version))
    cursor.execute(
        f"""SELECT a.workspace, a.name, a.alias, a.version, v.version IS NOT NULL
              FROM {aliases} a LEFT JOIN {versions} v ON v.workspace = a.workspace AND v.name = a.name
               AND v.version = a.version AND v.current_stage IS DISTINCT FROM 'Deleted_Internal'
             WHERE a.alias IN ('champion', 'challenger', 'previous')"""  # noqa: S608
    )
    for workspace, name, alias, version, exists in cursor.fetchall():
        models.setdefault((workspace, name), _Model({}, {})).aliases[alias] = (version, exists)
    return models


def _stage_drift(
    workspace: str, name: str, model: _Model, stage: str, *, may_be_several: bool
) -> Iterator[Drift]:
    alias = _ALIAS_OF[stage]
    held = [version for _, version in sorted(model.stages.get(stage, []))]
    named = model.aliases[alias][0] if alias in model.aliases else None
    kind: Kind = "champion-alias" if alias == "champion" else "challenger-alias"
    is_astray = named is not None and named not in held
    if len(held) > 1 and not may_be_several:
        keep = named if named in held else held[-1]
        gone = tuple(sorted(v for v in held if v != keep))
        several: Kind = "several-champions" if alias == "champion" else "several-challengers"
        problem = f"versions {_listed(sorted(held))} are all in {stage}"
        remedy = f"keep version {keep}, archive {_listed(gone)}, alias {alias} → {keep}"
        yield Drift(several, workspace, name, problem, remedy, alias, keep, gone)
    elif is_astray or (named is None and len(held) == 1 and not may_be_several):
        what = f"alias {alias} names version {named}" if named is not None else f"there is no alias {alias}"
        there = f"and {_listed(sorted(held))} is in {stage}" if held else f"and no version is in {stage}"
        keep_one = held[-1] if held else None
        remedy = f"alias {alias} → {keep_one}" if held else f"remove alias {alias}"
        yield Drift(kind, workspace, name, f"{what} {there}", remedy, alias, keep_one)


def _previous_drift(workspace: str, name: str, model: _Model) -> Iterator[Drift]:
    version, exists = model.aliases.get("previous", (0, True))
    if not exists:
        problem = f"alias previous names version {version}, which does not exist"
        yield Drift("previous-alias", workspace, name, problem, "remove alias previous", "previous")


def _mend(cursor: Cursor, registry: Registry, drift: Drift) -> None:
    key = {"workspace": drift.workspace, "name": drift.model, "alias": drift.alias, "keep": drift.keep}
    versions, aliases = registry.table("model_versions"), registry.table("registered_model_aliases")
    cursor.execute(
        f"""UPDATE {versions} SET current_stage = 'Archived',
                   last_updated_time = floor(extract(epoch FROM clock_timestamp()) * 1000)
             WHERE workspace = %(workspace)s AND name = %(name)s AND version = ANY (%(archive)s::int[])""",  # noqa: S608
        {**key, "archive": list(drift.archive)},
    )
    if drift.keep is None:
        cursor.execute(
            f"""DELETE FROM {aliases}
                 WHERE workspace = %(workspace)s AND name = %(name)s AND alias = %(alias)s""",  # noqa: S608
            key,
        )
    else:
        cursor.execute(
            f"""INSERT INTO {aliases} (workspace, name, alias, version)
                VALUES (%(workspace)s, %(name)s, %(alias)s, %(keep)s)
                ON CONFLICT (workspace, name, alias) DO UPDATE SET version = EXCLUDED.version""",  # noqa: S608
            key,
        )


def _listed(versions: tuple[int, ...] | list[int]) -> str:
    return ", ".join(str(v) for v in versions)
