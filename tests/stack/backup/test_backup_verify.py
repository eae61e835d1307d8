"""Verifying sets in a throw-away stack, of which nothing is left, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from backup_world import sets, start
from tests.stack.conftest import run_cli
from tests.unit import reference

from mlflowctl.backup.manifest import Manifest
from mlflowctl.backup.places import object_path
from mlflowctl.stack import discovery

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("backup")]


def throw_away() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("mlflowctl-verify-*"))


def test_a_whole_set_is_proven_and_nothing_is_left(source):
    done = run_cli("backup", "verify", "--from", str(source.place), "--json")
    assert done.returncode == 0, done.stderr
    checks = {
        one["name"]: one for one in reference.validated("backup.verify", done.stdout)["result"]["checks"]
    }
    assert {one["verdict"] for one in checks.values()} == {"ok"}
    assert list(checks) == [
        "digests", "rows", "objects", f"ledger {source.world.name}", f"champion {source.world.name}",
    ]  # fmt: skip
    assert checks[f"champion {source.world.name}"]["what"] == "v2 loads and predicts its example"
    assert throw_away() == []


def test_a_set_with_a_wrong_byte_is_named_without_starting_anything(source, tmp_path):
    shutil.copytree(source.place, tmp_path / "sets")
    items = (item for _, item in Manifest(sets(tmp_path / "sets")[-1] / "manifest.jsonl").items())
    wrong = next(one for one in items if one.key.endswith("MLmodel"))
    path = tmp_path / "sets" / object_path(wrong.sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    done = run_cli("backup", "verify", "--from", str(tmp_path / "sets"), "--json")
    assert done.returncode == 6
    (found,) = reference.validated("backup.verify", done.stdout)["result"]["checks"]
    assert f"object artifacts/{wrong.key} was changed" in found["what"]
    assert "throw-away" not in done.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_in_the_middle_it_leaves_nothing(source, end):
    """After Ctrl-C at once; after kill -9 the next verification cleans up."""
    command = start(source.stack, "backup", "verify", "--from", str(source.place))
    assert command.stderr is not None
    for line in command.stderr:
        if "postgres is ready" in line:
            targets = [str(one.root) for one in discovery.running_stacks()]
            assert not [root for root in targets if "mlflowctl-verify-" in root]
            command.send_signal(end)
            break
    began = time.monotonic()
    command.stderr.read()
    assert time.monotonic() - began < 90  # and not as long as a stack may take to start
    assert command.wait(60) == (130 if end is signal.SIGINT else -signal.SIGKILL)
    if end is signal.SIGKILL:
        assert throw_away()
        from mlflowctl.backup.throwaway import remove_abandoned

        remove_abandoned()
    assert throw_away() == []
    time.sleep(0.2)
    mine = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert not [words for words in mine if any("mlflowctl-verify-" in word for word in words)]


def test_an_installation_without_an_object_store_says_where_to_verify(source, tmp_path, monkeypatch):
    from mlflowctl.backup import throwaway
    from mlflowctl.errors import UsageError
    from mlflowctl.stack import object_store

    monkeypatch.setattr(object_store, "sysconfig", type("None", (), {"get_path": lambda _: os.devnull}))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no object store for one") as refusal:
        throwaway.throw_away_stack(print).__enter__()
    assert "on the host" in refusal.value.next
