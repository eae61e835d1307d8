"""Making sets: every byte once, nothing copied twice, and nothing that looks like a set unless it is one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from backup_world import kill_at, objects, peak_memory, put, sets, start
from tests.stack import breaking
from tests.unit import reference

from mlflowctl.backup import check, places
from mlflowctl.backup.manifest import Manifest
from mlflowctl.storage import client as s3_client

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300), pytest.mark.xdist_group("backup")]
STRANGE = {
    "strange/a b/c.txt": b"spaces",
    "strange/ünï/日本.txt": b"unicode",
    "strange/%20+&=?#'\".bin": b"signs",
    "strange/x": b"a key that is also a folder",
    "strange/x/y": b"below it",
    "strange/empty": b"",
    "strange/twice": b"spaces",
}


def backup(source, place: Path, *more: str, exits: int = 0, **how):
    done = source.stack.cli("backup", "--to", str(place), "--json", *more, **how)
    assert done.returncode == exits, done.stdout + done.stderr
    return reference.validated("backup", done.stdout)


@pytest.fixture
def strange(source):
    """Objects with names and properties that are easily lost; gone after the test."""
    for key, body in STRANGE.items():
        put(source.stack, key, body)
    put(
        source.stack,
        "strange/told",
        b"t",
        ContentType="text/x-t",
        Metadata={"who": "me"},
        CacheControl="no-store",
    )
    yield
    s3, bucket = s3_client(source.stack.context.s3), source.stack.context.s3.artifact_bucket
    for key in [*STRANGE, "strange/told"]:
        s3.delete_object(Bucket=bucket, Key=key)


def test_a_set_holds_the_bytes_of_every_object_and_is_closed_to_others(source, strange, tmp_path):
    made = backup(source, tmp_path / "sets")["result"]
    with check.opened(places.place(str(tmp_path / "sets")), made["set"]) as found:
        items = [item for _, item in found.manifest.items()]
        assert check.problems(found, lambda _: None) == []
    there = objects(source.stack)
    assert {f"{one.role}/{one.key}": one.sha256 for one in items if not one.key.startswith("leases/")} == {
        key: digest for key, (digest, _) in there.items()
    }
    (told,) = (one for one in items if one.key == "strange/told")
    assert told.meta["ContentType"] == "text/x-t"
    assert told.meta["Metadata"] == {"who": "me"}
    for path in (tmp_path / "sets").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not list((tmp_path / "sets").glob("tmp*"))


def test_the_next_backup_copies_only_what_is_new(source, tmp_path):
    first = backup(source, tmp_path / "sets")["result"]
    assert first["copied"] == first["objects"] > 20
    plan = backup(source, tmp_path / "sets", "--dry-run")["result"]["steps"]
    assert all(", 0 to be copied" in step["detail"] for step in plan if "bucket" in step["target"])
    again = backup(source, tmp_path / "sets")["result"]
    assert (again["copied"], again["copied_bytes"], again["objects"]) == (0, 0, first["objects"])
    put(source.stack, "new/one", b"brand new")
    put(source.stack, "new/overwritten", b"before")
    assert backup(source, tmp_path / "sets")["result"]["copied"] == 2
    put(source.stack, "new/overwritten", b"after!")  # as long as before, perhaps in the same second
    assert backup(source, tmp_path / "sets")["result"]["copied"] == 1
    assert len(sets(tmp_path / "sets")) == 4


def test_a_large_object_never_stands_in_memory(source, tmp_path):
    put(source.stack, "large", os.urandom(1 << 20) * 100)
    memory = peak_memory(source.stack, "backup", "--to", str(tmp_path / "sets"))
    assert memory < 160
    s3_client(source.stack.context.s3).delete_object(
        Bucket=source.stack.context.s3.artifact_bucket, Key="large"
    )


def test_a_killed_backup_leaves_no_set_and_the_next_one_goes_on(source, tmp_path):
    for phase in ("Database", "Bucket mlflow-registry", "Bucket mlflow-artifacts"):
        kill_at(source.stack, phase, "backup", "--to", str(tmp_path / "sets"))
        assert sets(tmp_path / "sets") == []
    done = source.stack.cli("restore", "--from", str(tmp_path / "sets"), "--dry-run")
    assert done.returncode == 2
    assert "There is no set" in done.stderr
    drafts = list((tmp_path / "sets").glob("drafts/*"))
    known = sum(path.read_bytes().count(b'{"object"') for path in drafts)
    made = backup(source, tmp_path / "sets")["result"]
    assert made["copied"] <= made["objects"] - known
    assert not list((tmp_path / "sets").glob("drafts/*"))
    with check.opened(places.place(str(tmp_path / "sets")), None) as found:
        assert check.problems(found, lambda _: None) == []


def test_two_backups_at_once_into_one_folder_one_of_them_says_so(source, tmp_path):
    first = start(source.stack, "backup", "--to", str(tmp_path / "sets"))
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("Database"):
            first.send_signal(signal.SIGSTOP)
            break
    found = backup(source, tmp_path / "sets", exits=5)
    assert "Another backup is being written" in found["error"]["message"]
    first.send_signal(signal.SIGCONT)
    first.stderr.read()
    assert first.wait(60) == 0
    assert len(sets(tmp_path / "sets")) == 1


def test_a_full_disk_is_told_and_leaves_no_set(source, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        found = backup(source, disk / "sets", exits=1)
        assert "No space left" in found["error"]["message"]
        assert "No set was made" in found["error"]["state"]
        assert sets(disk / "sets") == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_wrong_password_is_told_and_stands_nowhere(source, tmp_path):
    passfile = source.stack.context.database.admin_passfile
    good = passfile.read_text()
    passfile.write_text("*:*:*:mlflowctl_admin:not the password\n")
    try:
        done = source.stack.cli("backup", "--to", str(tmp_path / "sets"))
    finally:
        passfile.write_text(good)
    assert done.returncode == 1
    assert "PostgreSQL refused" in done.stderr
    assert "not the password" not in done.stderr
    assert sets(tmp_path / "sets") == []


def test_an_object_that_is_deleted_meanwhile_is_noted(source, tmp_path, monkeypatch):
    from mlflowctl.backup import make
    from mlflowctl.backup.buckets import Reader

    put(source.stack, "passing/by", b"soon gone")
    opened = Reader.open

    def late(self, key):
        if key == "passing/by":
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        return opened(self, key)

    monkeypatch.setattr(Reader, "open", late)
    made = make.execute(source.stack.context, places.place(str(tmp_path / "sets")), lambda _: None)
    assert made.end.vanished == ["artifacts/passing/by"]


def test_a_folder_with_other_things_is_refused(source, tmp_path):
    (tmp_path / "thesis.tex").touch()
    found = backup(source, tmp_path, exits=2)
    assert "holds other things" in found["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_set_in_a_bucket_with_keys_of_its_own(source, target, tmp_path):
    """The other store is another stack's: its keys are not those of the stack that is backed up."""
    store = target.context.s3
    s3_client(store).create_bucket(Bucket="backups")
    (tmp_path / "keys").write_text(
        f"[default]\naws_access_key_id={store.access_key_id}\naws_secret_access_key={store.secret_access_key}\n"
    )
    env = {
        "AWS_ENDPOINT_URL_S3": store.endpoint_url,
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "keys"),
        "AWS_REGION": store.region,
    }
    put(source.stack, "large", os.urandom(1 << 20) * 20)
    url = "s3://backups/of mine"
    first = backup(source, url, env=env)["result"]
    again = backup(source, url, env=env)["result"]
    assert first["copied"] == first["objects"]
    assert (again["copied"], again["objects"]) == (0, first["objects"])
    done = source.stack.cli("restore", "--from", url, "--dry-run", env=env)
    assert done.returncode == 0, done.stderr
    assert "of mine" in done.stderr
    s3 = s3_client(source.stack.context.s3)
    s3.delete_object(Bucket=source.stack.context.s3.artifact_bucket, Key="large")


def test_a_context_without_a_database_is_told_so(source, tmp_path):
    done = source.stack.cli(
        "backup",
        "--to",
        str(tmp_path),
        env={"MLFLOWCTL_DATA_DIR": "", "MLFLOW_TRACKING_URI": source.stack.uri},
    )
    assert done.returncode == 2
    assert "needs the database and the object store" in done.stderr


def test_the_manifest_tells_rows_releases_and_time(source):
    folder = sets(source.place)[0]
    header = Manifest(folder / "manifest.jsonl").header
    assert header.database["rows"]["public.model_versions"] == 3
    assert (
        header.database["rows"]["mlflowctl.history"]
        == breaking.query(source.stack, "SELECT count(*) FROM mlflowctl.history")[0][0]
    )
    assert header.releases.keys() == {"mlflowctl", "mlflow", "postgresql"}
    assert header.at < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
