"""Putting sets back: whole or not at all, and whatever is killed, something consistent serves."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from backup_world import kill_at, objects, peak_memory, put, rows, sets
from promotion_world import World
from tests.stack import breaking
from tests.unit import reference

from mlflowctl.backup import places
from mlflowctl.backup.manifest import FORMAT, Manifest
from mlflowctl.registry.desk import Desk
from mlflowctl.storage import client as s3_client

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("backup")]
BEFORE_THE_SWAP = ("Checking the set", "Restoring the database", "Sending objects", "Stopping the server")
AFTER_THE_SWAP = "Putting bucket mlflow-registry"


def restore(stack, place: Path | str, *more: str, exits: int = 0):
    done = stack.cli("restore", "--from", str(place), "--json", *more)
    assert done.returncode == exits, done.stdout + done.stderr
    return reference.validated("restore", done.stdout)


@pytest.fixture(scope="module")
def restored(source, target):
    """The source's set in the target, which was empty: no confirmation is needed."""
    put(source.stack, "strange/ünï b/日本.txt", b"", ContentType="text/x-t", Metadata={"who": "me"})
    done = source.stack.cli("backup", "--to", str(source.place))
    assert done.returncode == 0, done.stderr
    return restore(target, source.place)["result"]


def test_an_empty_stack_becomes_what_the_other_was(source, target, restored):
    assert restored["serving"] is True
    assert restored["apart"] == []
    assert rows(target) == rows(source.stack)
    assert objects(target) == objects(source.stack)
    assert target.cli("bootstrap", "--dry-run", "--exit-code").returncode == 0


def test_the_champion_serves_and_promotions_go_on(source, target, restored, runner, tmp_path):
    world = World(
        Desk(target.context), runner, target.layout.root, source.world.source, source.world.name, tmp_path
    )
    world.write_policy()
    world.assert_one_champion(2)
    world.assert_in_order()
    assert world.model("audit").expect(0)
    assert "v2 → v1" in world.model("rollback").expect(0).out  # which loads it, in a clean process
    world.promote(3)
    world.assert_in_order()


def test_over_data_it_is_refused_and_tells_what_would_be_lost(source, target, restored):
    put(target, "only/here", b"mine")
    before = rows(target)
    found = restore(target, source.place, "--confirm", "another", exits=2)["error"]
    assert "model versions: 3" in found["message"]
    assert "of bucket mlflow-artifacts that the set does not have: 1" in found["message"]
    assert "--confirm target" in found["next"]
    assert rows(target) == before
    plan = restore(target, source.place, "--dry-run")["result"]["steps"]
    assert {step["action"] for step in plan} >= {"change", "remove"}


def test_killed_before_the_swap_the_old_data_serves_unchanged(source, target, restored):
    before = rows(target)
    for phase in BEFORE_THE_SWAP:
        kill_at(target, phase, "restore", "--from", str(source.place), "--confirm", "target")
        target.serving(60)
        assert rows(target) == before, phase
        assert "only/here" in {key.split("/", 1)[1] for key in objects(target, "artifacts")}


def test_killed_after_it_the_restored_data_serves_and_the_same_command_ends_the_work(
    source, target, restored
):
    kill_at(target, AFTER_THE_SWAP, "restore", "--from", str(source.place), "--confirm", "target")
    target.serving(60)
    assert rows(target) == rows(source.stack)
    done = restore(target, source.place, "--confirm", "target")["result"]
    assert rows(target) == rows(source.stack)
    assert objects(target) == objects(source.stack)
    assert done["apart"] == []
    names = [name for (name,) in breaking.query(target, "SELECT datname FROM pg_database")]
    assert not [name for name in names if name.startswith("mlflow_")]


def test_a_large_object_never_stands_in_memory(source, target, restored, tmp_path):
    import os

    put(source.stack, "large", os.urandom(1 << 20) * 100)
    assert source.stack.cli("backup", "--to", str(tmp_path / "sets")).returncode == 0
    s3_client(source.stack.context.s3).delete_object(
        Bucket=source.stack.context.s3.artifact_bucket, Key="large"
    )
    arguments = ("restore", "--from", str(tmp_path / "sets"), "--confirm", "target")
    assert peak_memory(target, *arguments) < 180
    assert objects(target)["artifacts/large"]


def test_a_set_that_is_not_whole_is_refused_before_anything_is_touched(source, target, restored, tmp_path):
    before = rows(target)
    for damage, words in (
        (lambda folder, _: (folder / "database.dump").unlink(), "dump of the database is missing"),
        (lambda folder, _: _truncate(folder / "database.dump"), "dump of the database has"),
        (lambda folder, _: _flip(folder / "database.dump"), "dump of the database was changed"),
        (lambda folder, _: _truncate(folder / "manifest.jsonl"), "manifest is not whole"),
        (lambda folder, _: _edit(folder / "manifest.jsonl"), "manifest was changed"),
        (lambda _, one: one.unlink(), "is missing"),
        (lambda _, one: _flip(one), "was changed"),
    ):
        place = tmp_path / f"{time.monotonic_ns()}"
        shutil.copytree(source.place, place)
        folder = sets(place)[-1]
        first = next(item for _, item in Manifest(folder / "manifest.jsonl").items() if item.size > 9)
        damage(folder, place / places.object_path(first.sha256))
        found = restore(target, place, "--confirm", "target", exits=6)["error"]
        assert words in found["message"], found
        assert found["code"] == "backup_damaged"
        assert found["state"] == "Nothing was changed."
    assert rows(target) == before


def test_a_set_of_a_newer_release_is_refused(source, target, restored, tmp_path):
    place = tmp_path / "sets"
    shutil.copytree(source.place, place)
    manifest = sets(place)[-1] / "manifest.jsonl"
    text = manifest.read_text()
    manifest.write_text(text.replace(f'"format":{FORMAT}', '"format":99'))
    found = restore(target, place, exits=1)["error"]
    assert found["code"] == "backup_too_new"
    assert "format 99" in found["message"]
    _again(
        manifest,
        text.replace(breaking.query(target, "SELECT version_num FROM alembic_version")[0][0], "beef"),
    )
    found = restore(target, place, exits=1)["error"]
    assert "schema beef" in found["message"]


def test_a_set_that_is_not_there_is_told_with_those_that_are(source, target, restored):
    found = restore(target, source.place, "--set", "1999", exits=2)["error"]
    assert f"no set 1999 in {source.place}" in found["message"]
    assert sets(source.place)[0].name in found["message"]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"size":', '"size":1', 1))


def _again(manifest: Path, text: str) -> None:
    """Write a manifest whose own digest is right."""
    import hashlib

    from mlflowctl.backup.manifest import End, encoded, sealed

    *lines, last = text.splitlines(keepends=True)
    end = sealed(hashlib.sha256("".join(lines).encode()), End(**json.loads(last)["end"]))
    manifest.write_bytes("".join(lines).encode() + encoded({"end": end.__dict__}))
