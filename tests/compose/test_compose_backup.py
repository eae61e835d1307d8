"""Backup, restore and verify of a Compose project: destroyed and put back, and a damaged set refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compose import content
from tests.compose.projects import ComposeProject


@pytest.fixture(scope="module")
def kept(new_project, built: ComposeProject) -> ComposeProject:
    """A project with a champion."""
    project: ComposeProject = new_project("kept")
    project.up()
    content.become_champion(project, content.log_a_model(project), 1)
    return project


@pytest.fixture(scope="module")
def place(kept: ComposeProject) -> Path:
    """One set of it, in a folder with a space in its name."""
    folder = kept.folder / "my backups"
    done = kept.cli("backup", "--to", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["result"]
    assert answer["objects"] > 5
    assert answer["copied"] == answer["objects"]
    again = kept.cli("backup", "--to", str(folder), "--json")
    assert json.loads(again.stdout)["result"]["copied"] == 0, "the second copies only what is new"
    return folder


def test_a_set_belongs_to_the_user_who_made_it_and_to_nobody_else(place: Path):
    for file in place.rglob("*"):
        found = file.stat()
        assert found.st_uid == place.parent.stat().st_uid
        assert found.st_mode & 0o077 == 0, file


def test_verify_restores_it_into_a_throw_away_stack_on_the_host(kept: ComposeProject, place: Path):
    done = kept.cli("backup", "verify", "--from", str(place), "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    checks = {one["name"]: one["verdict"] for one in json.loads(done.stdout)["result"]["checks"]}
    assert "failed" not in checks.values()


def test_a_restore_over_data_wants_the_projects_name_and_costs_no_service(kept: ComposeProject, place: Path):
    started = kept.inspect("mlflow")["State"]["StartedAt"]
    done = kept.cli("restore", "--from", str(place))
    assert done.returncode == 2
    assert f"--confirm {kept.name}" in done.stderr
    assert kept.inspect("mlflow")["State"]["StartedAt"] == started


def test_destroyed_and_restored_the_champion_serves_again(kept: ComposeProject, place: Path):
    kept.down("--volumes")
    assert kept.leftovers() == {"containers": [], "volumes": [], "networks": []}
    kept.up()
    assert content.champion(kept) is None
    done = kept.cli("restore", "--from", str(place))
    assert done.returncode == 0, done.stderr + done.stdout
    kept.serving(60)
    assert content.champion(kept) == 1
    audit = kept.cli("model", "audit", content.MODEL)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert kept.cli("doctor").returncode == 0


def test_a_damaged_set_is_refused_and_the_server_goes_on(kept: ComposeProject, place: Path):
    victim = max(
        (file for file in (place / "objects").rglob("*") if file.is_file()), key=lambda f: f.stat().st_size
    )
    whole = victim.read_bytes()
    victim.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    try:
        started = kept.inspect("mlflow")["State"]["StartedAt"]
        done = kept.cli("restore", "--from", str(place), "--confirm", kept.name)
        assert done.returncode != 0
        assert victim.name[:8] in done.stderr or "damaged" in done.stderr
        assert kept.inspect("mlflow")["State"]["StartedAt"] == started
        assert content.champion(kept) == 1
        verified = kept.cli("backup", "verify", "--from", str(place), "--no-load")
        assert verified.returncode == 6
    finally:
        victim.write_bytes(whole)
