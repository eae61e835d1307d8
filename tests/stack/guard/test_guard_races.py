"""Two clients at once: the second waits, then is judged by what the first committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from guard_postgres import ADMIN, APP
from guard_registry import MODEL, Registry
from mlflow.exceptions import MlflowException

from mlflowctl.database import guard

pytestmark = pytest.mark.stack

STAGE = "UPDATE model_versions SET current_stage = '{}' WHERE version = {}"
ALIAS = "UPDATE registered_model_aliases SET version = {1} WHERE alias = '{0}'"


@contextmanager
def open_transaction(registry: Registry, statement: str) -> Iterator[None]:
    """A client that has changed something and commits at the end of the block."""
    connection = registry.connect(APP)
    connection.cursor().execute(statement)
    yield
    connection.commit()


def meanwhile(registry: Registry, statement: str) -> tuple[threading.Thread, list[BaseException]]:
    """A second client; returns once it waits for the first."""
    failures: list[BaseException] = []
    connection = registry.connect(APP)

    def change() -> None:
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
        except psycopg2.Error as exc:
            failures.append(exc)

    thread = threading.Thread(target=change)
    thread.start()
    waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    deadline = time.monotonic() + 10
    while not registry.sql(waits, role=ADMIN):
        assert time.monotonic() < deadline, "the second client did not wait"
        time.sleep(0.01)
    return thread, failures


def race(registry: Registry, first: str, second: str) -> list[BaseException]:
    with open_transaction(registry, first):
        thread, failures = meanwhile(registry, second)
    thread.join()
    return failures


def refusal(failures: list[BaseException]) -> Any:
    assert len(failures) == 1
    assert isinstance(failures[0], psycopg2.errors.CheckViolation)
    return failures[0].diag.constraint_name


def test_two_promotions_both_succeed_and_the_later_commit_is_champion(registry: Registry) -> None:
    registry.model("Production", "None", "None")
    assert race(registry, STAGE.format("Production", 2), STAGE.format("Production", 3)) == []
    assert registry.stages() == {1: "Archived", 2: "Archived", 3: "Production"}
    assert registry.aliases() == {"champion": 3, "previous": 2}


def test_an_alias_set_while_its_version_leaves_staging_is_refused(bare: Registry) -> None:
    guard.install(bare.admin, guard.GuardSettings(several_challengers=True))
    bare.model("Staging", "Staging")
    failures = race(bare, STAGE.format("Archived", 1), ALIAS.format("challenger", 1))
    assert refusal(failures) == "challenger-alias"
    assert bare.aliases() == {"challenger": 2}


def test_a_version_that_leaves_staging_takes_along_an_alias_set_meanwhile(bare: Registry) -> None:
    guard.install(bare.admin, guard.GuardSettings(several_challengers=True))
    bare.model("Staging", "Staging")
    assert race(bare, ALIAS.format("challenger", 1), STAGE.format("Archived", 1)) == []
    assert bare.aliases() == {}


def test_two_challengers_at_once_the_second_is_refused(registry: Registry) -> None:
    registry.model("None", "None")
    failures = race(registry, STAGE.format("Staging", 1), STAGE.format("Staging", 2))
    assert refusal(failures) == "one-challenger"
    assert registry.stages() == {1: "Staging", 2: "None"}


def test_the_champion_cannot_be_archived_by_a_client_that_came_before_its_promotion(
    registry: Registry,
) -> None:
    registry.model("Production", "None")
    failures = race(registry, STAGE.format("Production", 2), STAGE.format("Archived", 2))
    assert refusal(failures) == "champion-required"


def test_a_version_deleted_while_another_client_promotes_it_does_not_come_back(registry: Registry) -> None:
    registry.model("Production", "None")
    failures = race(registry, STAGE.format("Deleted_Internal", 2), STAGE.format("Production", 2))
    assert refusal(failures) == "version-deleted"


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_at_stricter_isolation_levels_the_loser_gets_a_serialization_error(
    registry: Registry, level: str
) -> None:
    registry.model("None", "None")
    late = registry.connect(APP)
    late.set_session(isolation_level=level)
    with late.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM model_versions")
        registry.to(1, "Production")
        with pytest.raises(psycopg2.errors.SerializationFailure):
            cursor.execute(STAGE.format("Production", 2))
    late.rollback()
    assert registry.stages() == {1: "Production", 2: "None"}


def test_behind_a_client_that_hangs_the_others_get_a_text_and_not_silence(registry: Registry) -> None:
    registry.model("Production", "None")
    registry.sql("ALTER FUNCTION mlflowctl.queue() SET lock_timeout TO '200ms'", role=ADMIN)
    with open_transaction(registry, STAGE.format("Production", 2)):
        with pytest.raises(MlflowException, match=r"\[busy\].*Try again.*pg_stat_activity") as answer:
            registry.to(1, "Staging")
    assert answer.value.get_http_status_code() == 503


def test_readers_never_wait_and_see_the_old_champion_until_the_commit(registry: Registry) -> None:
    registry.model("Production", "None")
    with open_transaction(registry, STAGE.format("Production", 2)):
        assert registry.store.get_model_version_by_alias(MODEL, "champion").version == 1
    assert registry.store.get_model_version_by_alias(MODEL, "champion").version == 2
