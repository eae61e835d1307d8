"""Whoever sets a version to Production or Staging, the rest follows in the same transaction."""

from __future__ import annotations

import pytest
from guard_registry import MODEL, Registry
from mlflow.exceptions import MlflowException

pytestmark = pytest.mark.stack


def test_promoting_archives_the_predecessor_even_without_the_archive_flag(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.to(2, "Production")
    assert registry.stages() == {1: "Archived", 2: "Production"}


@pytest.mark.parametrize("successor", [1, 3])
def test_the_archive_flag_works_whichever_row_mlflow_writes_first(registry: Registry, successor: int) -> None:
    registry.model("None", "Production", "None")
    registry.to(successor, "Production", archive=True)
    assert [v for v, stage in registry.stages().items() if stage == "Production"] == [successor]
    assert registry.aliases() == {"champion": successor, "previous": 2}


def test_the_answer_to_a_promotion_already_names_the_alias(registry: Registry) -> None:
    registry.model("None")
    assert registry.to(1, "Production").aliases == ["champion"]


def test_a_rollback_swaps_champion_and_previous(registry: Registry) -> None:
    registry.model("Production", "Production")
    registry.to(1, "Production")
    assert registry.aliases() == {"champion": 1, "previous": 2}


def test_promoting_the_champion_again_changes_nothing(registry: Registry) -> None:
    registry.model("Production", "Production")
    registry.to(2, "Production", archive=True)
    assert registry.aliases() == {"champion": 2, "previous": 1}


def test_staging_sets_the_challenger_and_promoting_it_ends_that(registry: Registry) -> None:
    registry.model("Production", "Staging")
    assert registry.aliases() == {"champion": 1, "challenger": 2}
    registry.to(2, "Production")
    assert registry.aliases() == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("stage", ["None", "Archived"])
def test_a_challenger_that_leaves_staging_loses_the_alias(registry: Registry, stage: str) -> None:
    registry.model("Staging")
    registry.to(1, stage)
    assert registry.aliases() == {}


def test_deleting_the_challenger_removes_its_alias(registry: Registry) -> None:
    registry.model("Production", "Staging")
    registry.store.delete_model_version(MODEL, "2")
    assert registry.aliases() == {"champion": 1}


def test_a_second_challenger_is_refused_and_the_text_names_the_way(registry: Registry) -> None:
    registry.model("Staging", "None")
    with pytest.raises(
        MlflowException, match=r"\[one-challenger\].*versions 1, 2.*archive_existing_versions=True"
    ):
        registry.to(2, "Staging")
    assert registry.stages() == {1: "Staging", 2: "None"}
    assert registry.aliases() == {"challenger": 1}


@pytest.mark.parametrize(("standing", "coming"), [(1, 2), (2, 1)])
def test_the_archive_flag_replaces_the_challenger(registry: Registry, standing: int, coming: int) -> None:
    registry.model("None", "None")
    registry.to(standing, "Staging")
    registry.to(coming, "Staging", archive=True)
    assert registry.stages() == {standing: "Archived", coming: "Staging"}
    assert registry.aliases() == {"challenger": coming}


def test_a_version_inserted_in_production_is_a_promotion_too(registry: Registry) -> None:
    registry.model("Production")
    registry.sql(
        "INSERT INTO model_versions (name, version, current_stage) VALUES (%s, 2, 'Production')", (MODEL,)
    )
    assert registry.stages() == {1: "Archived", 2: "Production"}
    assert registry.aliases() == {"champion": 2, "previous": 1}


def test_one_statement_that_promotes_all_versions_leaves_one_champion(registry: Registry) -> None:
    registry.model("None", "Production", "None")
    registry.sql("UPDATE model_versions SET current_stage = 'Production'")
    stages = registry.stages()
    assert sorted(stages.values()) == ["Archived", "Archived", "Production"]
    assert stages[registry.aliases()["champion"]] == "Production"


def test_models_do_not_touch_each_other(registry: Registry) -> None:
    registry.model("Production", name="one")
    registry.model("Production", name="two")
    assert registry.stages("one") == registry.stages("two") == {1: "Production"}


def test_the_same_name_in_two_workspaces_is_two_models(registry: Registry) -> None:
    for workspace in ("default", "team-b"):
        registry.sql("INSERT INTO registered_models (workspace, name) VALUES (%s, %s)", (workspace, MODEL))
        registry.sql(
            "INSERT INTO model_versions (workspace, name, version, current_stage) VALUES (%s, %s, 1, %s)",
            (workspace, MODEL, "None"),
        )
    promote = "UPDATE model_versions SET current_stage = 'Production' WHERE workspace = %s"
    registry.sql(promote, ("default",))
    registry.sql(promote, ("team-b",))
    for workspace in ("default", "team-b"):
        assert registry.stages(workspace=workspace) == {1: "Production"}
        assert registry.aliases(workspace=workspace) == {"champion": 1}
    rows = registry.sql("SELECT workspace, to_stage FROM mlflowctl.history ORDER BY id")
    assert rows == [("default", "Production"), ("team-b", "Production")]


def test_a_promotion_through_mlflows_workspace_store_is_guarded(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore
    from mlflow.utils.workspace_context import WorkspaceContext

    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    store = WorkspaceAwareSqlAlchemyStore(registry.cluster.url(registry.name))
    with WorkspaceContext("team-b"):
        store.create_registered_model(MODEL)
        for number in (1, 2):
            store.create_model_version(MODEL, f"s3://artifacts/{number}")
            store.transition_model_version_stage(MODEL, number, "Production", False)
        with pytest.raises(MlflowException, match=r"\[champion-required\]"):
            store.transition_model_version_stage(MODEL, 2, "Archived", False)
    assert registry.stages(workspace="team-b") == {1: "Archived", 2: "Production"}
    assert registry.aliases(workspace="team-b") == {"champion": 2, "previous": 1}
    store._dispose_engine()
