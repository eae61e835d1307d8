"""Restored to an earlier time: registry and ledger come together, and nobody is accused of anything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlflowctl.backup import make, places

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("backup")]
ACCUSATION = re.compile(
    r"tamper|forge|rewritten|cut off|edited|truncat|inserted|changed behind|broken|never saw|intrud", re.I
)


class Told:
    """Runs commands about one model, and keeps everything that they say."""

    def __init__(self, world) -> None:
        self.world, self.said = world, ""

    def run(self, *arguments: str, exits: int = 0):
        done = self.world.model(*arguments)
        self.said += done.out + done.err
        done.expect(exits)
        return done

    def restore(self, stack, place: Path, *more: str):
        done = stack.cli("restore", "--from", str(place), "--confirm", "target", "--json", *more)
        self.said += done.stdout + done.stderr
        assert done.returncode == 0, done.stderr
        return {one["model"] for one in json.loads(done.stdout)["result"]["apart"]}

    def nobody_is_accused(self) -> None:
        accusing = [line for line in self.said.splitlines() if ACCUSATION.search(line)]
        assert accusing == []


@pytest.fixture
def told(target, source, make_world) -> Told:
    """A model on the target whose first two versions were champions."""
    world = make_world(target, source.world.source)
    # The artifacts of a model that was logged on the other stack: registered by address alone.
    world.promote(*world.versions(2))
    return Told(world)


def back_up(stack, place: Path) -> None:
    done = stack.cli("backup", "--to", str(place))
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", autouse=True)
def restored(source, target):
    """The target knows the source's logged model."""
    done = target.cli("restore", "--from", str(source.place), "--confirm", "target")
    assert done.returncode == 0, done.stderr


def test_only_the_database_is_older_than_the_ledger(target, told, tmp_path):
    world = told.world
    (third,) = world.versions(1)
    back_up(target, tmp_path / "sets")
    world.promote(third)
    world.model("freeze", "--reason", "night").expect(0)
    apart = told.restore(target, tmp_path / "sets", "--database-only")
    assert world.name in apart
    world.assert_one_champion(2)
    told.run("audit", exits=6)
    told.run("status")
    told.run("reconcile", "--dry-run")
    told.run("reconcile", "--reason", "restored")
    told.run("audit")
    world.assert_one_champion(2)
    world.assert_in_order()
    told.nobody_is_accused()
    world.model("unfreeze", "--reason", "morning").expect(0)


def test_versions_that_were_registered_since_then_are_named_for_a_person(target, told, tmp_path):
    world = told.world
    back_up(target, tmp_path / "sets")
    world.promote(*world.versions(1))
    apart = told.restore(target, tmp_path / "sets", "--database-only")
    assert world.name in apart
    left = told.run("reconcile", "--reason", "restored", exits=6)
    assert "version 3: was champion, is protected, and is gone from the registry" in left.err
    told.run("audit")
    told.nobody_is_accused()
    world.assert_one_champion(2)


def test_database_and_ledger_are_both_older(target, told, tmp_path):
    world = told.world
    (third,) = world.versions(1)
    back_up(target, tmp_path / "sets")
    entries = len(world.entries())
    world.promote(third)
    apart = told.restore(target, tmp_path / "sets")
    assert world.name not in apart
    assert len(world.entries()) == entries
    told.run("audit")
    assert "Nothing to do" in told.run("reconcile").out
    world.assert_one_champion(2)
    world.assert_in_order()
    world.promote(third)
    world.assert_in_order()
    told.nobody_is_accused()


def test_a_promotion_while_the_backup_ran(target, told, tmp_path):
    """The dump is from before it, the ledger from after it."""
    world = told.world
    (third,) = world.versions(1)

    def meanwhile(line: str) -> None:
        if line.startswith("Bucket mlflow-registry"):
            world.promote(third)

    make.execute(target.context, places.place(str(tmp_path / "sets")), meanwhile)
    apart = told.restore(target, tmp_path / "sets")
    assert world.name in apart
    told.run("reconcile", "--prefer", "ledger", "--reason", "restored")
    told.run("audit")
    world.assert_one_champion(third)
    world.assert_in_order()
    told.nobody_is_accused()
