"""A real upgrade: from an image with an older MLflow, with data and guard in place, while clients work."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from tests.compose import content
from tests.compose.lives import IMAGE
from tests.compose.projects import ComposeProject

OLDER = "mlflowctl:test-older"
MLFLOW = "3.16.1"  # two migrations before the release that the image pins
DOCKERFILE = Path(__file__).parent / "older"
# A table of the newer schema, in the way of its migration.
IN_THE_WAY = "scheduler_leases"


@pytest.fixture(scope="module")
def older(engine, new_project, built: ComposeProject) -> ComposeProject:
    """A project on the older image, with a champion."""
    engine.docker(
        "build", "--tag", OLDER, "--build-arg", f"IMAGE={IMAGE}", "--build-arg", f"MLFLOW={MLFLOW}",
        str(DOCKERFILE), timeout=900,
    )  # fmt: skip
    project: ComposeProject = new_project("older")
    project.set_variable("MLFLOW_IMAGE", OLDER)
    project.set_variable("MLFLOWCTL_AUTH", "false")  # the login is written for MLflow 3.17 and later
    project.up("--no-build")
    content.become_champion(project, content.log_a_model(project), 1)
    return project


def revision(project: ComposeProject) -> str:
    return content.sql(project, "SELECT version_num FROM alembic_version")


def test_a_failing_migration_leaves_the_old_server_running_and_names_the_way_back(older: ComposeProject):
    before, started = revision(older), older.inspect("mlflow")["State"]["StartedAt"]
    older.set_variable("MLFLOW_IMAGE", IMAGE)
    content.sql(older, f"CREATE TABLE {IN_THE_WAY} (in_the_way int)")
    done = older.cli("upgrade", "--yes", "--backup-to", str(older.folder / "backups"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert IN_THE_WAY in done.stderr
    assert "The old server serves; the schema is unchanged" in done.stderr
    assert "mlflowctl --context compose restore --from" in done.stderr
    assert f"--confirm {older.name}" in done.stderr
    assert revision(older) == before
    assert older.inspect("mlflow")["State"]["StartedAt"] == started
    assert content.champion(older) == 1
    content.sql(older, f"DROP TABLE {IN_THE_WAY}")


def test_the_upgrade_migrates_while_the_old_server_serves_and_keeps_data_and_guard(older: ComposeProject):
    before = revision(older)
    stop, gaps = threading.Event(), []
    thread = threading.Thread(target=_watch, args=(older, stop, gaps))
    thread.start()
    done = older.cli("upgrade", "--yes", "--backup-to", str(older.folder / "backups"))
    stop.set()
    thread.join(30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert revision(older) != before
    assert len(gaps) <= 1, f"the server was away more than once: {gaps}"
    assert content.champion(older) == 1
    doctor = older.cli("doctor")
    assert doctor.returncode == 0, doctor.stdout
    content.become_champion(older, content.log_a_model(older), 2)
    again = older.cli("upgrade", "--yes", "--backup-to", str(older.folder / "backups"))
    assert again.returncode == 0
    assert "Nothing to do" in again.stdout


def _watch(project: ComposeProject, stop: threading.Event, gaps: list[float]) -> None:
    """Note each time that the API was away, in seconds."""
    away: float | None = None
    while not stop.is_set():
        try:
            project.api("GET", "registered-models/search?max_results=1", timeout=10)
        except (AssertionError, OSError):
            away = away or time.monotonic()
        else:
            if away:
                gaps.append(time.monotonic() - away)
            away = None
        time.sleep(0.1)


def test_an_old_image_does_not_start_on_the_newer_schema_and_a_restore_is_the_way_back(older: ComposeProject):
    older.set_variable("MLFLOW_IMAGE", OLDER)
    done = older.compose("up", "--detach", "--wait", "--no-build", check=False, timeout=300)
    assert done.returncode != 0
    said = older.compose("logs", "--no-color", "bootstrap").stdout
    assert "which the installed MLflow does not know" in said
    assert older.inspect("mlflow")["State"]["Status"] == "created", "the server must not have started"
    first = sorted(one.name for one in (older.folder / "backups" / "sets").iterdir())[0]
    restored = older.cli(
        "restore", "--from", str(older.folder / "backups"), "--set", first, "--confirm", older.name
    )
    assert restored.returncode == 0, restored.stdout + restored.stderr
    older.up("--no-build")
    assert content.champion(older) == 1
    shutil.rmtree(older.folder / "backups")
