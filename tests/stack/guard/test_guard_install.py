"""Installing, telling whether it still stands, upgrading and removing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg2
import pytest
from guard_postgres import ADMIN, APP
from guard_registry import MODEL, Registry
from mlflow.exceptions import MlflowException

from mlflowctl.database import guard
from mlflowctl.database.manifest import packaged
from mlflowctl.errors import AccessError, ConflictError, FindingsError, UnavailableError
from mlflowctl.plan import Action

pytestmark = pytest.mark.stack

ALL_SETTINGS = [
    guard.GuardSettings(level, several)  # type: ignore[arg-type]
    for level in ("exactly-one", "at-most-one")
    for several in (False, True)
]


def test_before_the_installation_there_is_nothing_and_the_plan_creates_it(bare: Registry) -> None:
    assert guard.inspect(bare.admin).condition == "absent"
    (step,) = guard.plan(bare.admin)
    assert (step.action, step.target) == (Action.CREATE, "registry guard")


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=str)
def test_what_is_installed_is_word_for_word_what_is_packaged(
    bare: Registry, settings: guard.GuardSettings
) -> None:
    guard.install(bare.admin, settings)
    state = guard.inspect(bare.admin)
    assert (state.condition, state.version, state.settings) == ("intact", guard.VERSION, settings)
    assert state.checksum == packaged("public", settings).checksum()


def test_a_second_run_finds_nothing_to_do_and_touches_nothing(registry: Registry) -> None:
    objects = "SELECT oid FROM pg_proc WHERE pronamespace = 'mlflowctl'::regnamespace ORDER BY 1"
    before = registry.sql(objects)
    (step,) = guard.plan(registry.admin)
    assert step.action is Action.UNCHANGED
    guard.install(registry.admin)
    assert registry.sql(objects) == before


def test_other_settings_are_a_change(registry: Registry) -> None:
    wanted = guard.GuardSettings("at-most-one", True)
    (step,) = guard.plan(registry.admin, wanted)
    assert step.action is Action.CHANGE
    assert "exactly-one, one challenger → at-most-one, several challengers" in step.detail
    guard.apply(step, registry.admin)
    assert guard.inspect(registry.admin).settings == wanted


def test_planning_changes_nothing(bare: Registry) -> None:
    guard.plan(bare.admin)
    assert guard.inspect(bare.admin).condition == "absent"
    assert bare.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'mlflowctl'") == []


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        (
            "DROP TRIGGER mlflowctl_3_switch ON model_versions",
            "trigger mlflowctl_3_switch on model_versions is missing",
        ),
        (
            "ALTER TABLE model_versions DISABLE TRIGGER mlflowctl_5_settle",
            "trigger mlflowctl_5_settle on model_versions is disabled",
        ),
        (
            "ALTER TABLE registered_model_aliases ENABLE REPLICA TRIGGER mlflowctl_1_queue",
            "trigger mlflowctl_1_queue on registered_model_aliases is disabled",
        ),
        (
            "ALTER TABLE mlflowctl.history DISABLE TRIGGER USER",
            "trigger mlflowctl_history on history is disabled",
        ),
        (
            "ALTER TABLE model_versions DROP CONSTRAINT mlflowctl_one_production",
            "constraint mlflowctl_one_production on model_versions is missing",
        ),
        (
            """CREATE OR REPLACE FUNCTION mlflowctl.verify(workspace_ text, model text, cause text)
               RETURNS void LANGUAGE sql AS ''""",
            "function mlflowctl.verify was changed",
        ),
        ("ALTER FUNCTION mlflowctl.switch() RESET search_path", "function mlflowctl.switch was changed"),
        (
            "ALTER FUNCTION mlflowctl.record_stage() SECURITY INVOKER",
            "function mlflowctl.record_stage was changed",
        ),
        (
            f"ALTER FUNCTION mlflowctl.protect() OWNER TO {APP}",
            "function mlflowctl.protect belongs to another role than the guard",
        ),
        (
            "CREATE FUNCTION mlflowctl.verify(text) RETURNS void LANGUAGE sql AS ''",
            "function mlflowctl.verify was changed",
        ),
        (
            """DROP TRIGGER mlflowctl_5_settle ON model_versions;
               CREATE CONSTRAINT TRIGGER mlflowctl_5_settle AFTER UPDATE ON model_versions
                 FOR EACH ROW WHEN (false) EXECUTE FUNCTION mlflowctl.settle()""",
            "trigger mlflowctl_5_settle on model_versions was changed",
        ),
        (
            f"GRANT INSERT ON mlflowctl.history TO {APP}",
            f"{APP} has more than read access to mlflowctl.history",
        ),
        (
            "GRANT DELETE ON mlflowctl.history TO PUBLIC",
            "everybody has more than read access to mlflowctl.history",
        ),
    ],
)
def test_an_altered_guard_is_told_and_put_right(registry: Registry, damage: str, difference: str) -> None:
    registry.sql(damage, role=ADMIN)
    state = guard.inspect(registry.admin)
    assert state.condition == "altered"
    assert difference in state.differences
    (step,) = guard.plan(registry.admin)
    assert step.action is Action.CHANGE
    assert difference in step.detail
    guard.apply(step, registry.admin)
    assert guard.inspect(registry.admin).condition == "intact"


def test_an_older_version_is_upgraded_and_the_history_kept(registry: Registry) -> None:
    registry.model("Production")
    registry.sql(
        """DROP TRIGGER mlflowctl_2_protect ON model_versions;
           CREATE FUNCTION mlflowctl.of_old() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
           CREATE TRIGGER mlflowctl_of_old AFTER UPDATE ON model_version_tags
             FOR EACH ROW EXECUTE FUNCTION mlflowctl.of_old();
           CREATE OR REPLACE FUNCTION mlflowctl.guard_version() RETURNS integer LANGUAGE sql AS 'SELECT 0'""",
        role=ADMIN,
    )
    state = guard.inspect(registry.admin)
    assert (state.condition, state.version) == ("outdated", 0)
    (step,) = guard.plan(registry.admin)
    assert (step.action, step.detail) == (Action.CHANGE, f"version 0 → {guard.VERSION}")
    guard.apply(step, registry.admin)
    assert guard.inspect(registry.admin).condition == "intact"
    assert registry.history() == [("stage", 1, "None", "Production")]


def test_a_guard_of_a_newer_mlflowctl_is_not_replaced(registry: Registry) -> None:
    registry.sql(
        "CREATE OR REPLACE FUNCTION mlflowctl.guard_version() RETURNS integer LANGUAGE sql AS 'SELECT 99'",
        role=ADMIN,
    )
    (step,) = guard.plan(registry.admin)
    assert step.action is Action.ATTENTION
    with pytest.raises(ConflictError, match="newer mlflowctl"):
        guard.install(registry.admin)


def test_two_installs_at_once_both_succeed(bare: Registry) -> None:
    failures: list[BaseException] = []

    def install() -> None:
        connection = bare.connect()
        try:
            guard.install(connection)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=install) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert guard.inspect(bare.admin).condition == "intact"


def test_an_install_waits_for_open_transactions_and_gives_up_with_a_text(
    bare: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlflowctl.database.session.ATTEMPTS", 2)
    bare.model("None")
    with bare.app.cursor() as cursor:
        cursor.execute("UPDATE model_versions SET description = 'open'")
    with pytest.raises(ConflictError, match="stayed locked"):
        guard.install(bare.admin)
    bare.app.rollback()
    guard.install(bare.admin)


def test_without_mlflows_tables_the_error_says_so(cluster) -> None:  # type: ignore[no-untyped-def]
    connection = cluster.connect("postgres")
    with pytest.raises(UnavailableError, match="registry tables are not in this database"):
        guard.install(connection)
    connection.close()


def test_the_application_role_alone_may_be_admin_and_the_history_still_stands(bare: Registry) -> None:
    database = f"ALTER DATABASE {bare.name} OWNER TO {APP}"
    bare.cluster.execute(database)
    guard.install(bare.app)
    assert guard.inspect(bare.app).condition == "intact"
    bare.model("Production", "Production")
    assert len(bare.history()) == 3
    for statement in ("UPDATE mlflowctl.history SET model = ''", "DELETE FROM mlflowctl.history"):
        with pytest.raises(psycopg2.errors.CheckViolation, match="history-append-only"):
            bare.sql(statement)
    guard.uninstall(bare.app, drop_history=True)
    assert guard.inspect(bare.app).condition == "absent"


def test_an_admin_that_is_no_superuser_needs_only_set_role_to_the_owner(bare: Registry) -> None:
    role = f"rds_{bare.name}"
    bare.cluster.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{bare.cluster.password}'")
    admin = bare.connect(role)
    with pytest.raises(AccessError, match="may not do this") as refusal:
        guard.install(admin)
    assert "GRANT" in refusal.value.next
    bare.cluster.execute(f"GRANT {APP} TO {role} WITH INHERIT FALSE, SET TRUE")
    guard.install(admin)
    assert guard.inspect(admin).condition == "intact"
    bare.model("Production", "Production")
    assert len(bare.history()) == 3
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        bare.sql("DELETE FROM mlflowctl.history")
    guard.uninstall(admin, drop_history=True)
    bare.sql(f"REVOKE CREATE ON DATABASE {bare.name} FROM {role}", role=ADMIN)
    bare.cluster.execute(f"DROP OWNED BY {role}; DROP ROLE {role}", bare.name)


def test_uninstalled_mlflow_behaves_as_it_did_before(registry: Registry) -> None:
    registry.model("Production", "None")
    guard.uninstall(registry.admin)
    assert guard.inspect(registry.admin).condition == "absent"
    registry.to(2, "Production")
    registry.to(1, "Archived")
    registry.alias("champion", None)
    registry.store.delete_registered_model(MODEL)


def test_uninstalling_keeps_the_history_append_only_unless_asked(registry: Registry) -> None:
    registry.model("Production")
    guard.uninstall(registry.admin)
    with pytest.raises(psycopg2.errors.CheckViolation, match="history-append-only"):
        registry.sql("DELETE FROM mlflowctl.history", role=ADMIN)
    guard.install(registry.admin)
    assert registry.history() == [("stage", 1, "None", "Production")]
    guard.uninstall(registry.admin, drop_history=True)
    assert registry.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'mlflowctl'") == []
    guard.uninstall(registry.admin)


def test_a_registry_that_breaks_the_rules_is_not_touched_and_told(bare: Registry) -> None:
    bare.model("Production", "Production")
    with pytest.raises(FindingsError, match=r"model churn: versions 1, 2 are all in Production") as refusal:
        guard.install(bare.admin)
    assert "--mend" in refusal.value.next
    assert guard.inspect(bare.admin).condition == "absent"
    assert bare.stages() == {1: "Production", 2: "Production"}


def test_a_dump_restored_elsewhere_brings_an_intact_guard(
    registry: Registry, make_registry: Callable[[], Registry], tmp_path
) -> None:  # type: ignore[no-untyped-def]
    registry.model("Production", "Staging")
    other = make_registry()
    registry.cluster.execute(f"DROP DATABASE {other.name}")
    registry.cluster.execute(f"CREATE DATABASE {other.name} OWNER {APP}")
    dump = tmp_path / "dump"
    registry.cluster.run("pg_dump", "-Fc", "-f", str(dump), registry.name)
    registry.cluster.run("pg_restore", "-d", other.name, str(dump))
    assert guard.inspect(other.admin).condition == "intact"
    assert other.history() == registry.history()
    with pytest.raises(MlflowException, match="champion-required"):
        other.to(1, "Archived")
