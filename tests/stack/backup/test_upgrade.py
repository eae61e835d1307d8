"""Upgrading the embedded stack: nothing to do, a real migration, and one that fails."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from backup_world import rows, sets
from tests.stack import breaking
from tests.unit import reference

from mlflowctl.database import guard, schema
from mlflowctl.database.connect import admin
from mlflowctl.stack import supervisor

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("backup")]


def upgrade(stack, *more: str, exits: int = 0):
    done = stack.cli("upgrade", "--yes", "--json", *more)
    assert done.returncode == exits, done.stdout + done.stderr
    return reference.validated("upgrade", done.stdout)


@pytest.fixture(scope="module")
def stack(source, target):
    done = target.cli("restore", "--from", str(source.place), "--confirm", "target")
    assert done.returncode == 0, done.stderr
    return target


@dataclass
class Older:
    """The schema before the last migration, and a table that the migration is going to make."""

    revision: str
    obstacle: str


@pytest.fixture
def older(stack) -> Older:
    """MLflow's own way back by one migration, the present server running on it."""
    import sqlalchemy
    from alembic import command
    from mlflow.store.db import utils

    before = tables(stack)
    url = schema.app_url(stack.context.database)
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    config = utils._get_alembic_config(url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "-1")
    gone = sorted(before - tables(stack))
    assert gone, "the last migration makes no table: go back further"
    return Older(revision(stack), gone[-1])


def tables(stack) -> set[str]:
    found = breaking.query(stack, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {name for (name,) in found}


def revision(stack) -> str:
    with admin(stack.context.database) as connection:
        return str(schema.current_revision(connection))


def condition(stack) -> str:
    with admin(stack.context.database) as connection:
        return guard.inspect(connection).condition


def server(stack) -> int:
    return supervisor.components(stack.layout)["mlflow"].pid


def test_the_release_that_runs_has_nothing_to_do(stack):
    before = server(stack)
    assert upgrade(stack)["result"] == {"steps": [], "backup": None, "set": None}
    assert server(stack) == before
    assert not (stack.layout.root / "backups").exists()


def test_an_older_schema_is_migrated_while_the_old_server_serves_then_it_is_replaced(stack, older, tmp_path):
    before, data = server(stack), rows(stack)
    done = upgrade(stack, "--backup-to", str(tmp_path / "sets"))["result"]
    assert [step["target"] for step in done["steps"]] == ["backup", "MLflow schema", "MLflow server"]
    assert done["set"] == sets(tmp_path / "sets")[-1].name
    assert revision(stack) == schema.head_revision() != older.revision
    assert server(stack) != before
    assert condition(stack) == "intact"
    assert rows(stack) == data
    # The way back, and forward again: a set of the older schema is migrated when it is restored.
    done = stack.cli("restore", "--from", str(tmp_path / "sets"), "--confirm", "target")
    assert done.returncode == 0, done.stderr
    assert (revision(stack), condition(stack)) == (schema.head_revision(), "intact")


def test_a_failed_migration_leaves_the_old_server_on_the_unchanged_schema(stack, older, tmp_path):
    before, data = server(stack), rows(stack)
    obstacle = older.obstacle
    breaking.execute(stack, f'CREATE TABLE public."{obstacle}" (in_the_way integer)')
    try:
        error = upgrade(stack, "--backup-to", str(tmp_path / "sets"), exits=1)["error"]
        name = sets(tmp_path / "sets")[-1].name
        assert f'"{obstacle}" already exists' in error["message"]
        assert f"The old server serves; the schema is unchanged ({older.revision})" in error["state"]
        assert f"mlflowctl restore --from {tmp_path / 'sets'} --set {name} --confirm target" in error["next"]
        assert (revision(stack), condition(stack), server(stack)) == (older.revision, "intact", before)
        assert rows(stack) == data
        stack.serving(5)
    finally:
        breaking.execute(stack, f'DROP TABLE public."{obstacle}"')
    assert upgrade(stack, "--backup-to", str(tmp_path / "sets"))["result"]["set"] != name
    assert revision(stack) == schema.head_revision()


def test_a_database_of_a_newer_release_is_left_alone_and_can_be_restored_over(stack, source, tmp_path):
    breaking.execute(stack, "UPDATE alembic_version SET version_num = 'beef'")
    error = upgrade(stack, "--backup-to", str(tmp_path / "sets"), exits=1)["error"]
    assert error["code"] == "schema_too_new"
    assert sets(tmp_path / "sets") == []
    done = stack.cli("restore", "--from", str(source.place), "--confirm", "target")
    assert done.returncode == 0, done.stderr
    assert revision(stack) == schema.head_revision()
