"""Every stage change leaves a row, and no ordinary statement changes a row."""

from __future__ import annotations

import psycopg2
import pytest
from guard_postgres import ADMIN, APP
from guard_registry import MODEL, Registry
from mlflow.exceptions import MlflowException

pytestmark = pytest.mark.stack


def test_a_switch_is_two_rows_of_one_transaction(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.to(2, "Production", archive=True)
    assert registry.history() == [
        ("stage", 1, "None", "Production"),
        ("stage", 1, "Production", "Archived"),
        ("stage", 2, "None", "Production"),
    ]
    rows = registry.sql("SELECT transaction::text, role, at <= now() FROM mlflowctl.history ORDER BY id")
    assert rows[0][0] != rows[1][0] == rows[2][0]
    assert {row[1:] for row in rows} == {(APP, True)}


def test_what_is_refused_leaves_no_row(registry: Registry) -> None:
    registry.model("Production")
    with pytest.raises(MlflowException):
        registry.to(1, "Archived")
    assert registry.history() == [("stage", 1, "None", "Production")]


def test_a_rename_is_a_row_that_keeps_both_names(registry: Registry) -> None:
    registry.model("Production")
    registry.store.rename_registered_model(MODEL, "renamed")
    registry.to(1, "Production", name="renamed")
    rows = registry.sql(
        "SELECT event, model, former_workspace, former_model FROM mlflowctl.history ORDER BY id"
    )
    assert rows == [("stage", MODEL, None, None), ("renamed", "renamed", "default", MODEL)]


def test_retirement_and_deletion_leave_rows(registry: Registry) -> None:
    registry.model("Production")
    registry.retire()
    registry.store.delete_registered_model(MODEL)
    events = [row[0] for row in registry.history()]
    assert events[:2] == ["stage", "retire tag set"]
    assert sorted(events[2:]) == ["retire tag removed", "version removed"]


def test_a_change_by_plain_sql_is_recorded_with_its_role(registry: Registry) -> None:
    registry.model("None")
    registry.sql("UPDATE model_versions SET current_stage = 'Staging'", role=ADMIN)
    assert registry.sql("SELECT role, to_stage FROM mlflowctl.history") == [(ADMIN, "Staging")]


STATEMENTS = [
    "INSERT INTO mlflowctl.history (event, workspace, model) VALUES ('stage', 'default', 'forged')",
    "UPDATE mlflowctl.history SET model = 'forged'",
    "DELETE FROM mlflowctl.history",
    "TRUNCATE mlflowctl.history",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_application_role_cannot_write_the_history(registry: Registry, statement: str) -> None:
    registry.model("Production")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        registry.sql(statement)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_ordinary_statement_of_the_admin_role_writes_it_either(registry: Registry, statement: str) -> None:
    registry.model("Production")
    with pytest.raises(psycopg2.errors.CheckViolation, match="history-append-only"):
        registry.sql(statement, role=ADMIN)
    assert len(registry.history()) == 1


def test_a_recorder_attached_to_another_table_forges_nothing(registry: Registry) -> None:
    registry.sql("CREATE TABLE forge (workspace text, name text, version int, current_stage text)")
    registry.sql(
        """CREATE TRIGGER forge AFTER INSERT ON forge
             FOR EACH ROW EXECUTE FUNCTION mlflowctl.record_stage()"""
    )
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match=r"serves public\.model_versions only"):
        registry.sql("INSERT INTO forge VALUES ('default', 'forged', 1, 'Production')")


def test_functions_found_through_a_clients_search_path_are_not_called(registry: Registry) -> None:
    registry.model("None")
    registry.sql(
        """CREATE SCHEMA trap;
           CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT ''2001-01-01''::timestamptz';
           CREATE TABLE trap.model_versions (workspace text, name text, version int, current_stage text)"""
    )
    registry.sql(
        """SET LOCAL search_path = trap, public, pg_catalog;
           UPDATE public.model_versions SET current_stage = 'Production'"""
    )
    assert registry.aliases() == {"champion": 1}
    assert registry.sql("SELECT at > '2020-01-01' FROM mlflowctl.history") == [(True,)]
