"""Places, transfers, plans and words of backups, without a stack."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from tests.unit.test_backup_manifest import ITEMS, written

from mlflowctl.backup import places, s3_place
from mlflowctl.backup.check import BackupSet
from mlflowctl.backup.progress import Progress, human
from mlflowctl.backup.putting import Difference, _arguments, _Source
from mlflowctl.backup.restore import _bucket_steps
from mlflowctl.backup.transfers import digest_of, ordered, save
from mlflowctl.errors import ConflictError, MlflowctlError, NotFoundError, UsageError
from mlflowctl.plan import Action


def a_set(folder: Path, name: str) -> None:
    (folder / "sets" / name).mkdir(parents=True)
    written(folder / "sets" / name / "manifest.jsonl")


def test_a_set_is_chosen_by_its_name_its_beginning_or_as_the_newest(tmp_path):
    for name in ("2026-01-01T00-00-00Z", "2026-02-01T00-00-00Z", "2026-02-02T00-00-00Z"):
        a_set(tmp_path, name)
    (tmp_path / "sets" / "2026-03-01T00-00-00Z").mkdir()  # of a backup that was killed
    place = places.place(str(tmp_path))
    assert place.choose(None) == "2026-02-02T00-00-00Z"
    assert place.choose("2026-01") == place.choose("2026-01-01T00-00-00Z") == "2026-01-01T00-00-00Z"
    with pytest.raises(NotFoundError, match="no set that could be meant"):
        place.choose("2026-02")
    with pytest.raises(NotFoundError, match=r"no set 2025 in .* There are: 2026-01-01T00-00-00Z"):
        place.choose("2025")


def test_an_address_is_a_folder_or_a_bucket():
    assert isinstance(places.place("/somewhere"), places.Folder)
    found = places.place("s3://bucket/a b/c/")
    assert isinstance(found, s3_place.S3Place)
    assert (found.bucket, found.prefix) == ("bucket", "a b/c/")
    assert s3_place.S3Place.named("s3://bucket").prefix == ""
    for wrong in ("gs://bucket", "s3://"):
        with pytest.raises(UsageError):
            places.place(wrong)


def test_the_store_of_a_bucket_is_reached_by_the_aws_chain_and_its_variables():
    found = s3_place.settings({"AWS_ENDPOINT_URL_S3": "http://there:1", "AWS_REGION": "eu-north-1"})
    assert (found.endpoint_url, found.region, found.access_key_id) == ("http://there:1", "eu-north-1", None)
    assert s3_place.settings({"AWS_ENDPOINT_URL": "http://there:2"}).endpoint_url == "http://there:2"
    assert s3_place.settings({"AWS_REGION": "eu-north-1"}).endpoint_url is None


def test_a_second_writer_is_refused_and_what_a_killed_one_left_is_removed(tmp_path):
    folder = places.Folder(tmp_path / "sets")
    with folder.writing():
        (folder.scratch() / "half").write_text("…")
        (folder.root / "sets" / "unfinished").mkdir()
        with pytest.raises(ConflictError, match="Another backup"), places.Folder(folder.root).writing():
            pass
        assert (folder.scratch() / "half").exists()
    with folder.writing():
        assert list(folder.scratch().iterdir()) == []
        assert list((folder.root / "sets").iterdir()) == []


def test_the_file_systems_refusals_are_told(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(MlflowctlError, match="Not a directory"),
        places.Folder(tmp_path / "file" / "x").writing(),
    ):
        pass


def test_results_come_in_order_although_the_first_is_slow():
    def work(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number

    assert list(ordered(work, range(200), threading.Event())) == list(range(200))


def test_an_error_ends_the_others():
    stop, begun = threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("no")
        stop.wait(0.01)
        return number

    with pytest.raises(ValueError, match="no"):
        list(ordered(work, range(10_000), stop))
    assert stop.is_set()
    assert len(begun) < 200


def test_what_is_saved_is_the_owners_alone_and_has_its_digest(tmp_path):
    pieces = [b"a" * 1000, b"", b"b"]
    assert save(iter(pieces), tmp_path / "x") == digest_of(iter(pieces))
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_a_source_gives_as_much_as_is_asked_for_and_hashes_all():
    moved: list[int] = []
    source = _Source(iter([b"abc", b"defg", b"h"]), moved.append)
    assert [source.read(2), source.read(4), source.read(100), source.read(1)] == [b"ab", b"cdef", b"gh", b""]
    assert (source.digest, source.size) == digest_of(iter([b"abcdefgh"]))
    assert sum(moved) == 8
    assert _Source(iter([b"abc", b"d"]), moved.append).read() == b"abcd"


def test_a_retention_that_is_over_is_not_set_again():
    lock = {"ObjectLockMode": "COMPLIANCE", "Tags": {"a": "1 2"}}
    past = ITEMS[0].__class__(
        **{**ITEMS[0].__dict__, "meta": {**lock, "ObjectLockRetainUntilDate": "2020-01-01T00:00:00.000Z"}}
    )
    assert _arguments(past) == {"Tagging": "a=1+2"}
    future = ITEMS[0].__class__(
        **{**ITEMS[0].__dict__, "meta": {**lock, "ObjectLockRetainUntilDate": "2220-01-01T00:00:00.000Z"}}
    )
    assert _arguments(future)["ObjectLockRetainUntilDate"].year == 2220
    assert _arguments(future)["ObjectLockMode"] == "COMPLIANCE"


def test_a_plan_tells_each_kind_of_change_of_a_bucket():
    found = Difference("artifacts", missing=[1, 2], other=[3], extra=["x"], bytes=10, same=4)
    steps = _bucket_steps("b", found)
    assert [(step.action, step.target) for step in steps] == [
        (Action.CREATE, "bucket b: 2 objects"),
        (Action.CHANGE, "bucket b: 1 objects"),
        (Action.REMOVE, "bucket b: 1 objects"),
        (Action.UNCHANGED, "bucket b: 4 objects"),
    ]
    assert _bucket_steps("b", Difference("artifacts", [], [], [], 0, 0)) == []


def test_progress_tells_how_many_were_there_already():
    said: list[str] = []
    progress = Progress("bucket b", said.append, 2)
    progress.moved(1500)
    progress.done(copied=True)
    progress.done(copied=False)
    progress.finish()
    assert said[0].startswith("  bucket b: 2 of 2 objects, 1 of them there already, 1.5 kB moved, ")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (3.2e13, "32.0 TB")]
)
def test_bytes_for_people(size, text):
    assert human(size) == text


def test_a_set_names_itself_and_its_place(tmp_path):
    assert str(BackupSet(places.place(str(tmp_path)), "x", None)) == f"Set x in {tmp_path}"  # type: ignore[arg-type]
