"""``bootstrap``: idempotent, safe when two run at once, drift mended, every error its own text."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from botocore.exceptions import ClientError

from mlflowctl.database import guard
from mlflowctl.database.connect import admin
from mlflowctl.storage.client import client as s3_client
from tests.stack.conftest import run_cli

pytestmark = pytest.mark.stack


def sql(stack, statement, *values):
    with admin(stack.context.database) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def mine(folders):
    """A stack that these tests may break."""
    from mlflowctl.stack.layout import Layout
    from tests.stack.conftest import Stack, _end

    own = Stack(Layout.at(folders() / "to be broken"))
    own.up()
    yield own
    _end(own)


def test_a_second_run_changes_nothing_and_says_so(mine):
    done = mine.cli("bootstrap")
    assert done.returncode == 0
    assert done.stdout.startswith("Nothing to do (0 created, 0 changed")
    plan = mine.cli("bootstrap", "--dry-run", "--exit-code")
    assert plan.returncode == 0
    assert plan.stdout.rstrip().endswith("Nothing to do.")


def test_the_target_is_printed_first(mine):
    first = mine.cli("bootstrap").stderr.splitlines()[0]
    assert first == f"Target: context local in {mine.layout.root} at {mine.uri}"


def test_what_the_store_does_not_support_is_said(mine):
    steps = mine.json("bootstrap")["result"]["steps"]
    unsupported = {step["target"] for step in steps if step["action"] == "not supported here"}
    assert "bucket mlflow-artifacts: public-access block" in unsupported


def test_drift_everywhere_is_found_by_the_dry_run_and_mended_by_one_run(mine):
    s3 = s3_client(mine.context.s3)
    s3.put_bucket_versioning(Bucket="mlflow-registry", VersioningConfiguration={"Status": "Suspended"})
    sql(mine, "ALTER ROLE mlflow PASSWORD 'changed by somebody'")
    with admin(mine.context.database) as connection:
        guard.uninstall(connection)

    plan = mine.cli("bootstrap", "--dry-run", "--exit-code", "--json")
    assert plan.returncode == 6
    found = {s["target"]: s["action"] for s in json.loads(plan.stdout)["result"]["steps"]}
    assert found["bucket mlflow-registry: versioning"] == "change"
    assert found["database login mlflow"] == "change"
    assert found["registry guard"] == "create"

    assert mine.json("bootstrap")["result"]["changed"] == 2
    assert mine.cli("bootstrap", "--dry-run", "--exit-code").returncode == 0
    assert s3.get_bucket_versioning(Bucket="mlflow-registry")["Status"] == "Enabled"


def test_everything_is_made_anew_after_it_was_dropped(mine):
    mine.cli("down")
    mine.cli("up")  # no server connection may hold the database
    sql(mine, "SELECT 1")
    with psycopg2.connect(
        host="127.0.0.1",
        port=mine.context.database.port,
        dbname="postgres",
        user="mlflowctl_admin",
        passfile=str(mine.context.database.admin_passfile),
    ) as connection:
        connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("DROP DATABASE mlflow WITH (FORCE)")
    cursor.execute("DROP ROLE mlflow")
    connection.close()
    steps = {s["target"]: s["action"] for s in mine.json("bootstrap")["result"]["steps"]}
    made = ("database login mlflow", "database mlflow", "MLflow schema", "registry guard")
    assert {steps[name] for name in made} == {"create"}
    assert mine.cli("up").returncode == 0


def test_two_at_once_on_nothing_both_succeed(new_stack):
    own = new_stack()
    s3 = s3_client(own.context.s3)
    for bucket in ("mlflow-artifacts", "mlflow-registry"):
        for version in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=bucket)
    with admin(own.context.database) as connection:
        guard.uninstall(connection, drop_history=True)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: own.cli("bootstrap"), range(2)))
    assert [done.returncode for done in both] == [0, 0], both[0].stderr + both[1].stderr
    assert own.cli("bootstrap", "--dry-run", "--exit-code").returncode == 0


def test_duplicates_are_listed_and_mended_only_on_request(mine):
    with admin(mine.context.database) as connection:
        guard.uninstall(connection)
    sql(mine, "INSERT INTO registered_models (workspace, name) VALUES ('default', 'twice')")
    for version, updated in ((1, 100), (2, 200)):
        sql(
            mine,
            "INSERT INTO model_versions (workspace, name, version, current_stage, creation_time, "
            "last_updated_time, status) VALUES ('default', 'twice', %s, 'Production', 1, %s, 'READY')",
            version,
            updated,
        )
    try:
        listed = mine.cli("bootstrap")
        assert listed.returncode == 6
        assert "model twice" in listed.stderr
        assert "mlflowctl bootstrap --mend" in listed.stderr
        assert mine.cli("up").returncode == 6  # unattended runs never mend, and say so

        unattended = mine.cli("bootstrap", "--mend")
        assert unattended.returncode == 2
        assert "Add --yes." in unattended.stderr
        both = "SELECT count(*) FROM model_versions WHERE name = 'twice' AND current_stage = 'Production'"
        assert sql(mine, both) == [(2,)]

        mended = mine.cli("bootstrap", "--mend", "--yes")
        assert mended.returncode == 0, mended.stderr
        left = sql(mine, "SELECT version FROM model_versions WHERE current_stage = 'Production'")
        assert left == [(2,)]  # no alias named one, so the last updated stays
        assert mine.cli("bootstrap", "--dry-run", "--exit-code").returncode == 0
    finally:
        with admin(mine.context.database) as connection:
            guard.uninstall(connection)
        sql(mine, "DELETE FROM model_versions WHERE name = 'twice'")
        sql(mine, "DELETE FROM registered_models WHERE name = 'twice'")
        assert mine.cli("bootstrap").returncode == 0


def test_the_guards_level_is_kept_until_another_one_is_asked_for(mine):
    assert mine.cli("bootstrap", "--guard-level", "at-most-one").returncode == 0
    assert mine.cli("bootstrap", "--dry-run", "--exit-code").returncode == 0
    back = mine.cli("bootstrap", "--guard-level", "exactly-one")
    assert "at-most-one" in back.stderr
    wrong = mine.cli("bootstrap", "--guard-level", "none")
    assert wrong.returncode == 2


def test_a_missing_bucket_is_made_again(mine):
    s3 = s3_client(mine.context.s3)
    s3.delete_bucket(Bucket="mlflow-registry")
    with pytest.raises(ClientError):
        s3.head_bucket(Bucket="mlflow-registry")
    assert mine.cli("bootstrap").returncode == 0
    s3.head_bucket(Bucket="mlflow-registry")


def test_a_lost_application_secret_is_made_and_set_again(mine):
    from mlflowctl.stack import secrets

    mine.cli("down")
    secrets.app_passfile(mine.layout).unlink()
    assert mine.cli("up").returncode == 0
    assert mine.cli("status").returncode == 0


def test_a_lost_admin_secret_is_refused_before_anything_starts(mine):
    from mlflowctl.stack import secrets, supervisor

    mine.cli("down")
    path = secrets.admin_passfile(mine.layout)
    kept = path.read_text()
    path.unlink()
    try:
        refused = mine.cli("up")
        assert refused.returncode == 2
        assert "is gone, but the database it opens is there" in refused.stderr
        assert supervisor.running(mine.layout) is None
    finally:
        path.write_text(kept)
        path.chmod(0o600)
    assert mine.cli("up").returncode == 0


def test_a_wrong_admin_password_is_its_own_error(mine):
    from mlflowctl.stack import secrets

    path = secrets.admin_passfile(mine.layout)
    kept = path.read_text()
    try:
        path.write_text("*:*:*:mlflowctl_admin:wrong\n")
        refused = mine.cli("bootstrap")
        assert refused.returncode == 1
        assert "PostgreSQL refused mlflowctl_admin" in refused.stderr
        assert "password authentication failed" in refused.stderr
    finally:
        path.write_text(kept)


def test_a_stack_that_is_down_is_its_own_error(mine):
    mine.cli("down")
    try:
        refused = mine.cli("bootstrap")
        assert refused.returncode == 1
        assert "PostgreSQL does not answer" in refused.stderr
        assert "mlflowctl up" in refused.stderr
    finally:
        mine.up()


def test_a_schema_of_a_newer_mlflow_is_refused(mine):
    head = sql(mine, "SELECT version_num FROM alembic_version")[0][0]
    try:
        sql(mine, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
        refused = mine.cli("bootstrap")
        assert refused.returncode == 1
        assert "which the installed MLflow does not know" in refused.stderr
    finally:
        sql(mine, "UPDATE alembic_version SET version_num = %s", head)


def test_without_a_target_it_says_where_to_find_one(tmp_path):
    refused = run_cli("bootstrap", "--data-dir", str(tmp_path / "nowhere"))
    assert refused.returncode == 2
    assert "There is no stack in" in refused.stderr


def test_an_administrator_who_is_no_superuser_makes_role_and_database(mine, tmp_path):
    """As on RDS, where nobody is a superuser."""
    from dataclasses import replace

    from mlflowctl.database import passwords, roles
    from mlflowctl.database.connect import connect_as_app

    files = {role: tmp_path / role for role in ("like_rds", "app_like_rds")}
    for role, file in files.items():
        file.write_text(passwords.line(role, f"{role} secret"))
        file.chmod(0o600)
    sql(mine, "CREATE ROLE like_rds LOGIN CREATEDB CREATEROLE PASSWORD 'like_rds secret'")
    there = replace(
        mine.context.database,
        name="like_rds",
        admin_role="like_rds",
        admin_passfile=files["like_rds"],
        app_role="app_like_rds",
        app_passfile=files["app_like_rds"],
    )
    for step in roles.plan(there):
        roles.apply(step, there)
    connect_as_app(there).close()
    assert not [step for step in roles.plan(there) if step.effective]
    sql(mine, "DROP DATABASE like_rds")
    sql(mine, "DROP ROLE app_like_rds")
    sql(mine, "DROP ROLE like_rds")
