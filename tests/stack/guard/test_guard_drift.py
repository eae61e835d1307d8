"""Duplicates and drift from before the guard: found, told, and mended only when asked."""

from __future__ import annotations

import pytest
from guard_registry import MODEL, Registry

from mlflowctl.database import drift, guard
from mlflowctl.errors import ConflictError
from mlflowctl.plan import Action

pytestmark = pytest.mark.stack

SEVERAL = guard.GuardSettings(several_challengers=True)


def mend_all(registry: Registry, settings: guard.GuardSettings = guard.DEFAULTS) -> list[str]:
    return [drift.mend(registry.admin, found, settings) for found in drift.find(registry.admin, settings)]


def test_a_clean_registry_has_none(bare: Registry) -> None:
    bare.model("Archived", "None", name="no champion")
    bare.model("Production", "Staging")
    bare.alias("champion", 1)
    bare.alias("challenger", 2)
    assert drift.find(bare.admin) == []


def test_of_several_champions_the_one_that_the_alias_names_stays(bare: Registry) -> None:
    bare.model("Production", "Production", "Production")
    bare.alias("champion", 2)
    (found,) = drift.find(bare.admin)
    assert (found.kind, found.keep, found.archive) == ("several-champions", 2, (1, 3))
    assert mend_all(bare) == ["model churn: keep version 2, archive 1, 3, alias champion → 2"]
    assert bare.stages() == {1: "Archived", 2: "Production", 3: "Archived"}


@pytest.mark.parametrize("astray", [None, 3])
def test_without_a_valid_alias_the_champion_last_updated_stays(bare: Registry, astray: int | None) -> None:
    bare.model("Production", "Production", "None")
    if astray:
        bare.alias("champion", astray)
    bare.sql("UPDATE model_versions SET last_updated_time = last_updated_time + 99999 WHERE version = 1")
    mend_all(bare)
    assert bare.stages() == {1: "Production", 2: "Archived", 3: "None"}
    assert bare.aliases() == {"champion": 1}


def test_a_champion_alias_is_moved_to_the_production_version_or_removed(bare: Registry) -> None:
    bare.model("Production", "None")
    bare.alias("champion", 2)
    bare.model("Production", name="no alias")
    bare.model("Archived", name="no champion")
    bare.alias("champion", 1, name="no champion")
    assert {(d.model, d.kind, d.keep) for d in drift.find(bare.admin)} == {
        (MODEL, "champion-alias", 1),
        ("no alias", "champion-alias", 1),
        ("no champion", "champion-alias", None),
    }
    mend_all(bare)
    assert bare.aliases() == bare.aliases("no alias") == {"champion": 1}
    assert bare.aliases("no champion") == {}


def test_several_challengers_are_drift_unless_they_are_allowed(bare: Registry) -> None:
    bare.model("Staging", "Staging")
    bare.alias("challenger", 1)
    assert drift.find(bare.admin, SEVERAL) == []
    (found,) = drift.find(bare.admin)
    assert (found.kind, found.keep) == ("several-challengers", 1)
    mend_all(bare)
    assert bare.stages() == {1: "Staging", 2: "Archived"}


def test_a_challenger_alias_off_staging_is_drift_under_both_settings(bare: Registry) -> None:
    bare.model("Archived")
    bare.alias("challenger", 1)
    for settings in (guard.DEFAULTS, SEVERAL):
        (found,) = drift.find(bare.admin, settings)
        assert (found.kind, found.keep) == ("challenger-alias", None)
    mend_all(bare)
    assert bare.aliases() == {}


def test_a_previous_alias_that_names_nothing_is_drift(bare: Registry) -> None:
    bare.model("None")
    bare.sql(
        "INSERT INTO registered_model_aliases (name, alias, version) VALUES (%s, 'previous', 9)", (MODEL,)
    )
    assert [d.kind for d in drift.find(bare.admin)] == ["previous-alias"]
    mend_all(bare)
    assert bare.aliases() == {}


def test_workspaces_are_told_apart(bare: Registry) -> None:
    bare.sql("INSERT INTO registered_models (workspace, name) VALUES ('team-b', %s)", (MODEL,))
    bare.sql(
        "INSERT INTO model_versions (workspace, name, version, current_stage) VALUES (%s, %s, 1, %s)",
        ("team-b", MODEL, "Production"),
    )
    (found,) = drift.find(bare.admin)
    assert found.name == "model churn (workspace team-b)"
    mend_all(bare)
    assert bare.aliases(workspace="team-b") == {"champion": 1}


def test_unattended_the_plan_asks_for_attention_and_the_guard_waits(bare: Registry) -> None:
    bare.model("Production", "Production")
    (asks,) = drift.plan(bare.admin)
    assert (asks.action, asks.target) == (Action.ATTENTION, "model churn")
    assert asks.detail == (
        "versions 1, 2 are all in Production; mending would: keep version 2, archive 1, alias champion → 2"
    )
    (step,) = guard.plan(bare.admin)
    assert step.action is Action.ATTENTION


def test_asked_to_mend_the_plan_mends_and_then_installs(bare: Registry) -> None:
    bare.model("Production", "Production")
    steps = [*drift.plan(bare.admin, mend=True), *guard.plan(bare.admin, mend=True)]
    assert [step.action for step in steps] == [Action.CHANGE, Action.CREATE]
    drift.apply(steps[0], bare.admin)
    guard.apply(steps[1], bare.admin)
    assert guard.inspect(bare.admin).condition == "intact"
    assert bare.aliases() == {"champion": 2}


def test_drift_that_somebody_changed_meanwhile_is_not_mended_blindly(bare: Registry) -> None:
    bare.model("Production", "Production")
    (found,) = drift.find(bare.admin)
    bare.to(1, "Archived")
    with pytest.raises(ConflictError, match="has changed since it was looked at"):
        drift.mend(bare.admin, found)


def test_drift_under_a_standing_guard_is_mended_through_it(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.sql(
        """SET LOCAL session_replication_role = replica;
           UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'""",
        role="guard_admin",
    )
    assert [d.kind for d in drift.find(registry.admin)] == ["champion-alias"]
    mend_all(registry)
    assert registry.aliases() == {"champion": 1}
