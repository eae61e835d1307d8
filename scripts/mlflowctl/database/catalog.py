"""What really stands in the database's catalog of the registry guard; reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflowctl.database.manifest import (
    CONSTRAINT,
    HISTORY_COLUMNS,
    Definition,
    constraint_label,
    function_label,
    normalised,
    trigger_label,
)
from mlflowctl.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

TABLES = ("registered_models", "model_versions", "registered_model_aliases", "registered_model_tags")


@dataclass(frozen=True)
class Registry:
    """Where MLflow's tables are, both names quoted as identifiers, and who owns them."""

    schema: str
    owner: str

    def table(self, name: str) -> str:
        """The qualified name of one of MLflow's tables."""
        return f"{self.schema}.{name}"


@dataclass(frozen=True)
class Standing:
    """What stands of the guard.

    Attributes:
        definitions: functions, triggers and the constraint, as the catalog prints them.
        sources: body of each function, by name.
        complaints: what is wrong beyond the definitions: disabled triggers, owners, rights.
        history: whether the history table stands.
        paused: whether the guard has made way for a schema migration.
    """

    definitions: list[Definition]
    sources: dict[str, str]
    complaints: list[str]
    history: bool
    paused: bool


def locate(cursor: Cursor) -> Registry:
    """Find MLflow's registry tables.

    Raises:
        UnavailableError: they are not in this database.
        UsageError: they are there more than once.
    """
    rows = _rows(
        cursor,
        """SELECT quote_ident(n.nspname), quote_ident(pg_get_userbyid(max(c.relowner)))
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND c.relname = ANY (%s)
            GROUP BY n.nspname HAVING count(*) = %s""",
        (list(TABLES), len(TABLES)),
    )
    if not rows:
        raise UnavailableError(
            "MLflow's registry tables are not in this database.",
            state="Nothing was changed.",
            next="mlflowctl bootstrap creates them; check that the context names the right database.",
        )
    if len(rows) > 1:
        raise UsageError(
            f"MLflow's registry tables stand in several schemas: {', '.join(row[0] for row in rows)}.",
            state="Nothing was changed.",
            next="Keep one registry per database: move or drop the others.",
        )
    return Registry(*rows[0])


def has_workspaces(cursor: Cursor, registry: Registry) -> bool:
    """Whether MLflow's schema is recent enough for the guard, which needs the workspace columns."""
    cursor.execute(
        """SELECT count(*) FROM pg_attribute
            WHERE attrelid = ANY (%s::regclass[]) AND attname = 'workspace' AND NOT attisdropped""",
        ([registry.table(name) for name in TABLES],),
    )
    row = cursor.fetchone()
    assert row is not None
    return bool(row[0] == len(TABLES))


def read(cursor: Cursor) -> Standing:
    """Everything that stands of the guard. ``search_path`` must be ``pg_catalog``."""
    functions = _functions(cursor)
    triggers = _triggers(cursor)
    constraints, complaints = _constraint(cursor)
    return Standing(
        definitions=[
            *(Definition(function_label(name), normalised(text)) for name, text, _, _ in functions),
            *(Definition(trigger_label(t[0], t[1]), normalised(t[2])) for t in triggers),
            *constraints,
        ],
        sources={name: source for name, _, source, _ in functions},
        complaints=[
            *(f"{trigger_label(t[0], t[1])} is disabled" for t in triggers if t[3] != "O"),
            *(
                f"{function_label(n)} belongs to another role than the guard"
                for n, _, _, same in functions
                if not same
            ),
            *complaints,
            *_history_complaints(cursor),
        ],
        history=_history_stands(cursor),
        paused=any(t[0] == "mlflowctl_0_closed" for t in triggers),
    )


def _functions(cursor: Cursor) -> list[Any]:
    return _rows(
        cursor,
        """SELECT p.proname, pg_get_functiondef(p.oid), p.prosrc, p.proowner = n.nspowner
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'mlflowctl' AND p.prokind = 'f' ORDER BY 1, 2""",
    )


def _triggers(cursor: Cursor) -> list[Any]:
    """Triggers that carry the guard's name or call its functions, wherever they are attached."""
    return _rows(
        cursor,
        r"""SELECT t.tgname, c.relname, pg_get_triggerdef(t.oid), t.tgenabled
              FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
              JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE NOT t.tgisinternal AND (n.nspname = 'mlflowctl' OR t.tgname LIKE 'mlflowctl\_%')
             ORDER BY 2, 1""",
    )


def _constraint(cursor: Cursor) -> tuple[list[Definition], list[str]]:
    rows = _rows(
        cursor,
        """SELECT pg_get_constraintdef(k.oid), k.convalidated AND i.indisvalid
             FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid WHERE k.conname = %s""",
        (CONSTRAINT,),
    )
    label = constraint_label(CONSTRAINT)
    return (
        [Definition(label, normalised(definition)) for definition, _ in rows],
        [f"{label} is not valid" for _, valid in rows if not valid],
    )


def _history_stands(cursor: Cursor) -> bool:
    return bool(_rows(cursor, "SELECT 1 WHERE to_regclass('mlflowctl.history') IS NOT NULL"))


def _history_complaints(cursor: Cursor) -> list[str]:
    if not _history_stands(cursor):
        return []
    columns = dict(
        _rows(
            cursor,
            """SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
                WHERE attrelid = 'mlflowctl.history'::regclass AND attnum > 0 AND NOT attisdropped""",
        )
    )
    complaints = [] if columns == HISTORY_COLUMNS else ["table mlflowctl.history has other columns"]
    owner_differs = """SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                        WHERE c.oid = 'mlflowctl.history'::regclass AND c.relowner <> n.nspowner"""
    if _rows(cursor, owner_differs):
        complaints.append("table mlflowctl.history belongs to another role than the guard")
    writers = _rows(
        cursor,
        """SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(a.grantee) END
             FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = 'mlflowctl.history'::regclass AND a.grantee <> c.relowner
              AND a.privilege_type <> 'SELECT'""",
    )
    return complaints + [f"{role} has more than read access to mlflowctl.history" for (role,) in writers]


def _rows(cursor: Cursor, query: str, values: tuple[Any, ...] | None = None) -> list[Any]:
    cursor.execute(query, values)
    return cursor.fetchall()
