"""A model that has a champion keeps one, unless the retire tag says otherwise."""

from __future__ import annotations

import psycopg2
import pytest
from guard_registry import MODEL, Registry
from mlflow.exceptions import MlflowException

from mlflowctl.database import guard

pytestmark = pytest.mark.stack


@pytest.fixture
def at_most_one(bare: Registry) -> Registry:
    guard.install(bare.admin, guard.GuardSettings(level="at-most-one"))
    return bare


@pytest.mark.parametrize("stage", ["Archived", "None", "Staging"])
def test_demoting_the_champion_without_a_successor_is_refused(registry: Registry, stage: str) -> None:
    registry.model("Production", "None")
    with pytest.raises(MlflowException, match=r"\[champion-required\].*in one call") as refusal:
        registry.to(1, stage)
    assert refusal.value.get_http_status_code() == 400
    assert registry.stages() == {1: "Production", 2: "None"}
    assert registry.aliases() == {"champion": 1}


def test_archive_then_promote_in_one_transaction_is_a_switch(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.sql(
        """UPDATE model_versions SET current_stage = 'Archived' WHERE version = 1;
           UPDATE model_versions SET current_stage = 'Production' WHERE version = 2"""
    )
    assert registry.aliases() == {"champion": 2, "previous": 1}


def test_a_model_that_never_had_a_champion_is_left_alone(registry: Registry) -> None:
    registry.model("Archived", "Staging", "None")
    registry.to(1, "None")
    registry.store.delete_model_version(MODEL, "3")
    registry.store.delete_registered_model(MODEL)


def test_deleting_the_champion_version_is_refused(registry: Registry) -> None:
    registry.model("Production", "None")
    with pytest.raises(MlflowException, match=r"\[champion-kept\].*Promote its successor first") as refusal:
        registry.store.delete_model_version(MODEL, "1")
    assert refusal.value.get_http_status_code() == 400
    assert registry.aliases() == {"champion": 1}


def test_deleting_the_whole_model_is_refused_while_it_has_a_champion(registry: Registry) -> None:
    registry.model("Archived", "Production")
    with pytest.raises(MlflowException, match=r"\[champion-kept\]"):
        registry.store.delete_registered_model(MODEL)
    assert registry.stages() == {1: "Archived", 2: "Production"}


def test_deleting_the_champions_row_by_sql_is_refused(registry: Registry) -> None:
    registry.model("Production")
    with pytest.raises(psycopg2.errors.CheckViolation, match="champion-kept"):
        registry.sql("DELETE FROM model_versions")


@pytest.mark.parametrize("change", ["version = 7", "name = 'other'", "workspace = 'team-b'"])
def test_a_version_cannot_be_renumbered_or_moved_to_another_model(registry: Registry, change: str) -> None:
    registry.model("Production")
    registry.model(name="other")
    registry.sql("INSERT INTO registered_models (workspace, name) VALUES ('team-b', %s)", (MODEL,))
    with pytest.raises(psycopg2.errors.CheckViolation, match="version-stays"):
        registry.sql(f"UPDATE model_versions SET {change} WHERE name = %s", (MODEL,))


@pytest.mark.parametrize("table", ["model_versions", "registered_model_aliases", "registered_models"])
def test_truncate_is_refused(registry: Registry, table: str) -> None:
    registry.model("Production")
    with pytest.raises(psycopg2.errors.CheckViolation, match="no-truncate"):
        registry.sql(f"TRUNCATE {table} CASCADE")


def test_the_constraints_made_immediate_do_not_let_zero_through(registry: Registry) -> None:
    registry.model("Production")
    with pytest.raises(psycopg2.errors.CheckViolation, match="champion-required"):
        registry.sql("SET CONSTRAINTS ALL IMMEDIATE; UPDATE model_versions SET current_stage = 'Archived'")


def test_the_retire_tag_allows_zero_and_previous_remembers_the_last_champion(registry: Registry) -> None:
    registry.model("Production")
    registry.retire()
    registry.to(1, "Archived")
    assert registry.stages() == {1: "Archived"}
    assert registry.aliases() == {"previous": 1}


def test_a_retire_tag_with_the_value_false_does_not_count(registry: Registry) -> None:
    registry.model("Production")
    registry.retire(value="False")
    with pytest.raises(MlflowException, match="champion-required"):
        registry.to(1, "Archived")


def test_a_retire_tag_set_and_removed_in_the_same_transaction_does_not_count(registry: Registry) -> None:
    registry.model("Production")
    with pytest.raises(psycopg2.errors.CheckViolation, match="champion-required"):
        registry.sql(
            """INSERT INTO registered_model_tags (name, key, value) VALUES ('churn', 'mlflowctl.retire', 'x');
               UPDATE model_versions SET current_stage = 'Archived';
               DELETE FROM registered_model_tags"""
        )


def test_a_retired_model_can_be_deleted_with_its_champion(registry: Registry) -> None:
    registry.model("Production")
    registry.retire()
    registry.store.delete_registered_model(MODEL)
    assert registry.stages() == {}


def test_a_retired_models_champion_version_can_be_deleted(registry: Registry) -> None:
    registry.model("Archived", "Production")
    registry.retire()
    registry.store.delete_model_version(MODEL, "2")
    assert registry.stages()[2] == "Deleted_Internal"
    assert registry.aliases() == {}


def test_a_promotion_ends_the_retirement_so_the_guard_is_never_left_open(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.retire()
    registry.to(1, "Archived")
    registry.to(1, "Production")
    assert registry.aliases() == {"champion": 1}
    with pytest.raises(MlflowException, match="champion-required"):
        registry.to(1, "Archived")


def test_at_most_one_lets_the_champion_go_and_its_alias_with_it(at_most_one: Registry) -> None:
    at_most_one.model("Production", "None")
    at_most_one.to(1, "Archived")
    assert at_most_one.aliases() == {"previous": 1}
    at_most_one.to(2, "Production")
    assert at_most_one.aliases() == {"champion": 2, "previous": 1}


def test_at_most_one_lets_the_champion_go_back_to_staging(at_most_one: Registry) -> None:
    at_most_one.model("Production", "Staging")
    at_most_one.to(1, "Staging", archive=True)
    assert at_most_one.stages() == {1: "Staging", 2: "Archived"}
    assert at_most_one.aliases() == {"challenger": 1, "previous": 1}


def test_at_most_one_still_has_one_champion_and_does_not_delete_it(at_most_one: Registry) -> None:
    at_most_one.model("Production", "Production")
    assert at_most_one.stages() == {1: "Archived", 2: "Production"}
    with pytest.raises(MlflowException, match="champion-kept"):
        at_most_one.store.delete_model_version(MODEL, "2")


def test_renaming_keeps_stages_and_aliases_and_the_guard_with_them(registry: Registry) -> None:
    registry.model("Production", "Production", "Staging")
    registry.store.rename_registered_model(MODEL, "renamed")
    assert registry.stages("renamed") == {1: "Archived", 2: "Production", 3: "Staging"}
    assert registry.aliases("renamed") == {"champion": 2, "previous": 1, "challenger": 3}
    with pytest.raises(MlflowException, match="champion-required"):
        registry.to(2, "Archived", name="renamed")


def test_a_retired_model_can_be_renamed_and_stays_retired(registry: Registry) -> None:
    registry.model("Production")
    registry.retire()
    registry.store.rename_registered_model(MODEL, "renamed")
    registry.to(1, "Archived", name="renamed")
    assert registry.aliases("renamed") == {"previous": 1}


def test_a_rename_cannot_hide_a_demotion_in_the_same_transaction(registry: Registry) -> None:
    registry.model("Production")
    with pytest.raises(psycopg2.errors.CheckViolation, match="rename-alone"):
        registry.sql(
            """UPDATE model_versions SET current_stage = 'Archived';
               UPDATE registered_models SET name = 'renamed'"""
        )


@pytest.mark.parametrize("stage", ["None", "Staging", "Production"])
def test_a_version_deleted_meanwhile_does_not_come_back(registry: Registry, stage: str) -> None:
    registry.model("Production", "None")
    registry.store.delete_model_version(MODEL, "2")
    with pytest.raises(psycopg2.errors.CheckViolation, match="version-deleted"):
        registry.sql("UPDATE model_versions SET current_stage = %s WHERE version = 2", (stage,))


def test_a_client_that_archives_a_version_deleted_meanwhile_is_not_stopped(registry: Registry) -> None:
    registry.model("Archived", "Production")
    registry.store.delete_model_version(MODEL, "1")
    registry.sql(
        """UPDATE model_versions SET current_stage = 'Archived' WHERE version = 1;
           UPDATE model_versions SET current_stage = 'Production' WHERE version = 2"""
    )
    assert registry.stages() == {1: "Deleted_Internal", 2: "Production"}
