"""A schema migration: the guard makes way, nobody slips through, and it stands again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from guard_postgres import APP, Cluster
from guard_registry import MODEL, Registry
from mlflow.exceptions import MlflowException

from mlflowctl.database import drift, guard
from mlflowctl.errors import UnavailableError

pytestmark = pytest.mark.stack

OLD_REVISION = "1b5f0d9ad7c1"  # the first one with workspaces, which the guard needs
OLDER_REVISION = "c8d9e0f1a2b3"  # the one before
ALTERATION = "ALTER TABLE model_versions ALTER COLUMN current_stage TYPE varchar(30)"
PROMOTION = "UPDATE model_versions SET current_stage = 'Production' WHERE version = 2"


def migrate(registry: Registry, revision: str) -> None:
    """MLflow's own migration scripts, as the application role, in a session that says what it is."""
    import sqlalchemy
    from alembic import command
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    url = registry.cluster.url(registry.name, options=guard.MIGRATION_OPTIONS)
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    if not sqlalchemy.inspect(engine).has_table("experiments"):
        Base.metadata.create_all(engine)
    config = utils._get_alembic_config(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.fixture
def empty(cluster: Cluster, template: str) -> Iterator[Registry]:
    """A database that MLflow has never seen."""
    cluster.execute(f"CREATE DATABASE never_migrated OWNER {APP}")
    registry = Registry(cluster, "never_migrated")
    yield registry
    registry.close()
    cluster.execute("DROP DATABASE never_migrated WITH (FORCE)")


def fill(registry: Registry) -> None:
    registry.sql("INSERT INTO registered_models (name) VALUES (%s)", (MODEL,))
    registry.sql(
        """INSERT INTO model_versions (name, version, current_stage)
           VALUES (%(m)s, 1, 'Production'), (%(m)s, 2, 'None')""",
        {"m": MODEL},
    )


def test_an_old_schema_is_migrated_to_the_newest_and_the_guard_stands_again(empty: Registry) -> None:
    migrate(empty, OLD_REVISION)
    settings = guard.GuardSettings("at-most-one", True)
    guard.install(empty.admin, settings)
    fill(empty)
    with guard.migration(empty.admin):
        migrate(empty, "heads")
    state = guard.inspect(empty.admin)
    assert (state.condition, state.settings) == ("intact", settings)
    assert empty.aliases() == {"champion": 1}
    assert empty.history() == [("stage", 1, None, "Production")]


def test_a_schema_too_old_for_the_guard_is_told_so_and_has_no_drift(empty: Registry) -> None:
    migrate(empty, OLDER_REVISION)
    assert drift.find(empty.admin) == []
    assert guard.inspect(empty.admin).condition == "absent"
    with pytest.raises(UnavailableError, match="too old for the guard"):
        guard.install(empty.admin)


def test_a_migration_may_change_columns_that_a_standing_guard_holds(registry: Registry) -> None:
    with pytest.raises(psycopg2.errors.FeatureNotSupported, match="used in a trigger definition"):
        registry.sql(ALTERATION)
    with guard.migration(registry.admin):
        registry.sql(ALTERATION)
    assert guard.inspect(registry.admin).condition == "intact"


@pytest.mark.parametrize(
    "change",
    [
        PROMOTION,
        "DELETE FROM registered_model_aliases",
        "INSERT INTO model_versions (name, version) VALUES ('churn', 9)",
    ],
)
def test_meanwhile_every_other_client_is_told_to_come_back(registry: Registry, change: str) -> None:
    registry.model("Production", "None")
    with guard.migration(registry.admin):
        state = guard.inspect(registry.admin)
        assert (state.condition, state.paused) == ("altered", True)
        with pytest.raises(psycopg2.errors.CannotConnectNow, match="closed for changes"):
            registry.sql(change)
    assert registry.aliases() == {"champion": 1}


def test_mlflow_answers_503_meanwhile_which_its_clients_retry(registry: Registry) -> None:
    registry.model("Production", "None")
    with guard.migration(registry.admin):
        with pytest.raises(MlflowException, match="closed for changes") as refusal:
            registry.to(2, "Production")
    assert refusal.value.get_http_status_code() == 503
    registry.to(2, "Production")


def test_the_migrating_session_itself_may_write(registry: Registry) -> None:
    registry.model("Production", "None")
    with guard.migration(registry.admin):
        registry.sql(
            "SET LOCAL mlflowctl.migration = 'on'; UPDATE model_versions SET description = 'migrated'"
        )


def test_after_a_failed_migration_the_guard_stands_again(registry: Registry) -> None:
    registry.model("Production")
    with pytest.raises(RuntimeError, match="disk full"), guard.migration(registry.admin):
        raise RuntimeError("disk full")
    assert guard.inspect(registry.admin).condition == "intact"


def test_a_killed_migration_leaves_the_registry_closed_until_bootstrap_and_keeps_the_settings(
    bare: Registry,
) -> None:
    settings = guard.GuardSettings("at-most-one", True)
    guard.install(bare.admin, settings)
    guard.pause(bare.admin)
    state = guard.inspect(bare.admin)
    assert (state.condition, state.paused, state.settings) == ("altered", True, settings)
    (step,) = guard.plan(bare.admin, settings)
    assert "paused for a schema migration" in step.detail
    with guard.migration(bare.admin):  # the second attempt
        assert guard.inspect(bare.admin).paused
    state = guard.inspect(bare.admin)
    assert (state.condition, state.settings) == ("intact", settings)


def test_without_a_guard_a_migration_is_left_alone(bare: Registry) -> None:
    with guard.migration(bare.admin):
        assert guard.inspect(bare.admin).condition == "absent"
    assert guard.inspect(bare.admin).condition == "absent"


def test_without_tables_a_migration_is_left_alone(empty: Registry) -> None:
    with guard.migration(empty.admin):
        pass


def test_mlflows_own_upgrade_of_a_current_schema_passes_a_standing_guard(registry: Registry) -> None:
    migrate(registry, "heads")
    assert guard.inspect(registry.admin).condition == "intact"
