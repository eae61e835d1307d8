"""Building the guard and taking it away, inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflowctl.database.catalog import Registry
from mlflowctl.database.manifest import CONSTRAINT, HISTORY_FUNCTION, GuardSettings, packaged
from mlflowctl.database.session import acting_as

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


def build(cursor: Cursor, registry: Registry, settings: GuardSettings) -> None:
    """Replace whatever stands by the packaged guard; history rows are kept."""
    remove(cursor, history=False)
    _make_schema(cursor)
    sql = packaged(registry.schema, settings)
    cursor.execute("DROP FUNCTION IF EXISTS mlflowctl.history_append_only CASCADE")  # and its trigger
    for statement in (*sql.history, *sql.functions):
        cursor.execute(statement)
    _grant(cursor, registry)
    with acting_as(cursor, registry.owner):
        for statement in sql.attachments:
            cursor.execute(statement)


def pause_in_place(cursor: Cursor, registry: Registry, settings: GuardSettings) -> None:
    """Replace whatever stands by triggers that close the registry; history rows are kept.

    So are the functions that carry the settings: whoever ends an interrupted migration must know them.
    """
    remove(cursor, history=False)
    _make_schema(cursor)
    sql = packaged(registry.schema, settings)
    function, *triggers = sql.pause
    for statement in (*sql.settings_functions(), function):
        cursor.execute(statement)
    _grant(cursor, registry)
    with acting_as(cursor, registry.owner):
        for statement in triggers:
            cursor.execute(statement)


def remove(cursor: Cursor, *, history: bool) -> None:
    """Take away every object of the guard, of whatever version and however damaged.

    Args:
        cursor: inside a transaction.
        history: the history, and with it the schema, as well.
    """
    for trigger, table, owner in _attached_triggers(cursor):
        with acting_as(cursor, owner):
            cursor.execute(f"DROP TRIGGER {trigger} ON {table}")
    for table, owner in _constrained_tables(cursor):
        with acting_as(cursor, owner):
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {CONSTRAINT}")
    if history:
        cursor.execute("DROP TABLE IF EXISTS mlflowctl.history")
    for function in _functions(cursor, keep=() if history else (HISTORY_FUNCTION,)):
        cursor.execute(f"DROP FUNCTION {function}")
    if history:
        cursor.execute("DROP SCHEMA IF EXISTS mlflowctl")


def _make_schema(cursor: Cursor) -> None:
    if _rows(cursor, "SELECT 1 FROM pg_namespace WHERE nspname = 'mlflowctl'"):
        return
    missing = _rows(
        cursor,
        """SELECT quote_ident(datname), quote_ident(pg_get_userbyid(datdba)), quote_ident(current_user)
             FROM pg_database WHERE datname = current_database()
              AND NOT has_database_privilege(current_user, oid, 'CREATE')""",
    )
    for database, owner, admin in missing:  # an admin that is no superuser takes the right from the owner
        with acting_as(cursor, owner):
            cursor.execute(f"GRANT CREATE ON DATABASE {database} TO {admin}")
    cursor.execute("CREATE SCHEMA mlflowctl")


def _grant(cursor: Cursor, registry: Registry) -> None:
    """Everybody may run the guard's functions (triggers run as the client); nobody may write the history."""
    cursor.execute("GRANT USAGE ON SCHEMA mlflowctl TO PUBLIC")
    cursor.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mlflowctl TO PUBLIC")
    for (grantee,) in _rows(
        cursor,
        """SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                ELSE quote_ident(pg_get_userbyid(a.grantee)) END
             FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = to_regclass('mlflowctl.history') AND a.grantee <> c.relowner""",
    ):
        cursor.execute(f"REVOKE ALL ON mlflowctl.history FROM {grantee}")
    if _rows(cursor, "SELECT 1 WHERE to_regclass('mlflowctl.history') IS NOT NULL"):
        cursor.execute(f"GRANT SELECT ON mlflowctl.history TO {registry.owner}")


def _attached_triggers(cursor: Cursor) -> list[Any]:
    """By the guard's name or function, on any table but its own."""
    return _rows(
        cursor,
        r"""SELECT quote_ident(t.tgname), quote_ident(cn.nspname) || '.' || quote_ident(c.relname),
                   quote_ident(pg_get_userbyid(c.relowner))
              FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
              JOIN pg_namespace cn ON cn.oid = c.relnamespace
              JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace
             WHERE NOT t.tgisinternal AND cn.nspname <> 'mlflowctl'
               AND (pn.nspname = 'mlflowctl' OR t.tgname LIKE 'mlflowctl\_%')""",
    )


def _constrained_tables(cursor: Cursor) -> list[Any]:
    return _rows(
        cursor,
        """SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
                  quote_ident(pg_get_userbyid(c.relowner))
             FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE k.conname = %s""",
        (CONSTRAINT,),
    )


def _functions(cursor: Cursor, keep: tuple[str, ...]) -> list[str]:
    rows = _rows(
        cursor,
        """SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'mlflowctl' AND NOT p.proname = ANY (%s)""",
        (list(keep),),
    )
    return [row[0] for row in rows]


def _rows(cursor: Cursor, query: str, values: tuple[Any, ...] | None = None) -> list[Any]:
    cursor.execute(query, values)
    return cursor.fetchall()
