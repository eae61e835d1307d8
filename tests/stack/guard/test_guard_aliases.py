"""Guarded aliases follow the stages; a client cannot send them astray."""

from __future__ import annotations

import psycopg2
import pytest
from guard_registry import MODEL, Registry
from mlflow.exceptions import MlflowException

from mlflowctl.database import guard

pytestmark = pytest.mark.stack


@pytest.fixture
def several(bare: Registry) -> Registry:
    guard.install(bare.admin, guard.GuardSettings(several_challengers=True))
    return bare


@pytest.mark.parametrize(
    ("alias", "version", "says"),
    [
        ("champion", 2, r"must name version 1.*Transition the wanted version to Production"),
        ("champion", None, r"must name version 1"),
        (
            "challenger",
            1,
            r"cannot name version 1, which is not in Staging.*Transition that version to Staging",
        ),
        ("challenger", None, r"must name version 2.*Move that version out of Staging"),
    ],
)
def test_an_alias_that_would_leave_its_stage_is_refused(
    registry: Registry, alias: str, version: int | None, says: str
) -> None:
    registry.model("Production", "Staging")
    with pytest.raises(MlflowException, match=rf"\[{alias}-alias\].*{says}") as refusal:
        registry.alias(alias, version)
    assert refusal.value.get_http_status_code() == 400
    assert registry.aliases() == {"champion": 1, "challenger": 2}


def test_a_champion_alias_needs_a_version_in_production(registry: Registry) -> None:
    registry.model("None")
    with pytest.raises(MlflowException, match=r"cannot name version 1, which is not in Production"):
        registry.alias("champion", 1)


def test_setting_an_alias_where_it_is_already_is_fine(registry: Registry) -> None:
    registry.model("Production", "Staging")
    registry.alias("champion", 1)
    registry.alias("challenger", 2)


def test_other_aliases_are_free(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.alias("shadow", 2)
    registry.alias("shadow", 1)
    registry.alias("shadow", None)


def test_previous_may_be_set_and_removed_by_a_person(registry: Registry) -> None:
    registry.model("Archived", "Production")
    registry.alias("previous", 1)
    assert registry.aliases() == {"champion": 2, "previous": 1}
    registry.alias("previous", None)


def test_previous_cannot_name_a_version_that_does_not_exist(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.store.delete_model_version(MODEL, "2")
    for version in (2, 9):
        with pytest.raises(psycopg2.errors.CheckViolation, match="previous-alias"):
            registry.sql(
                "INSERT INTO registered_model_aliases (name, alias, version) VALUES (%s, 'previous', %s)",
                (MODEL, version),
            )


def test_deleting_the_previous_version_removes_the_alias(registry: Registry) -> None:
    registry.model("Production", "Production", "Production")
    registry.store.delete_model_version(MODEL, "2")
    assert registry.aliases() == {"champion": 3}


def test_deleting_the_previous_versions_row_by_sql_removes_the_alias(registry: Registry) -> None:
    registry.model("Production", "Production")
    registry.sql("DELETE FROM model_versions WHERE version = 1")
    assert registry.aliases() == {"champion": 2}


def test_an_alias_renamed_to_champion_is_checked_like_a_new_one(registry: Registry) -> None:
    registry.model("None")
    registry.alias("shadow", 1)
    with pytest.raises(psycopg2.errors.CheckViolation, match="champion-alias"):
        registry.sql("UPDATE registered_model_aliases SET alias = 'champion'")


def test_with_several_challengers_the_newest_in_staging_carries_the_alias(several: Registry) -> None:
    several.model("Staging", "Staging")
    assert several.stages() == {1: "Staging", 2: "Staging"}
    assert several.aliases() == {"challenger": 2}
    several.alias("challenger", 1)
    several.to(1, "None")
    assert several.aliases() == {}


def test_with_several_challengers_the_alias_still_needs_a_version_in_staging(several: Registry) -> None:
    several.model("Staging", "None")
    with pytest.raises(MlflowException, match="challenger-alias"):
        several.alias("challenger", 2)
