"""Manifests: what is written is read again, and whatever is cut off or edited is told."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflowctl.backup.manifest import (
    FORMAT,
    DamagedSetError,
    Header,
    Item,
    Manifest,
    NewerSetError,
    Writer,
    fingerprint,
)

HEADER = Header(
    name="2026-11-25T01-30-00Z",
    at="2026-11-25T01:30:00.000Z",
    releases={"mlflowctl": "1", "mlflow": "3", "postgresql": "18"},
    revision="abc",
    source="context local",
    database={"sha256": "0" * 64, "size": 1, "rows": {"public.runs": 2}, "roles": {}},
    buckets={"registry": "r", "artifacts": "a"},
)
ITEMS = [
    Item("registry", "ledger/m/000000000001.json", "1" * 64, 3, "e1", "2026", "v1", {"ContentType": "t"}),
    Item("artifacts", "with space/ünï/\n", "2" * 64, 0, "e2", "2026", ""),
]


def written(path: Path, items: list[Item] = ITEMS) -> Path:
    with path.open("wb") as handle:
        writer = Writer(handle, HEADER)
        for item in items:
            writer.add(item)
        writer.end(["artifacts/gone"])
    return path


def test_what_is_written_is_read_again(tmp_path):
    found = Manifest(written(tmp_path / "m"))
    assert found.header == HEADER
    assert [item for _, item in found.items()] == ITEMS
    assert [found.item_at(offset) for offset, _ in found.items()] == ITEMS
    assert found.end.objects == {"registry": 1, "artifacts": 1}
    assert found.end.bytes == {"registry": 3, "artifacts": 0}
    assert found.end.vanished == ["artifacts/gone"]


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_key_and_any_metadata_survive(key, meta):
    item = Item("artifacts", key, "3" * 64, 1, "e", "m", "v", {"Metadata": meta})
    out = io.BytesIO()
    Writer(out, HEADER).add(item)
    from mlflowctl.backup.manifest import parse_item

    assert parse_item(out.getvalue().splitlines()[1]) == item
    assert item.fingerprint() == fingerprint("artifacts", key, "e", 1, "m", "v")


def test_every_line_that_is_lost_and_every_byte_that_is_changed_is_told(tmp_path):
    whole = written(tmp_path / "m").read_bytes()
    lines = whole.splitlines(keepends=True)
    for number in range(len(lines)):
        (tmp_path / "cut").write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        with pytest.raises(DamagedSetError):
            Manifest(tmp_path / "cut")
    for position in range(0, len(whole), 7):
        edited = bytearray(whole)
        edited[position] ^= 1
        (tmp_path / "edited").write_bytes(edited)
        with pytest.raises((DamagedSetError, NewerSetError)):
            list(Manifest(tmp_path / "edited").items())


@pytest.mark.parametrize("length", [0, 1, 100, 400, 700])
def test_one_that_was_cut_off_is_told(tmp_path, length):
    path = written(tmp_path / "m")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DamagedSetError, match="Set x is damaged"):
        Manifest(path, "Set x")


def test_one_of_a_newer_format_names_the_release_that_made_it(tmp_path):
    path = written(tmp_path / "m")
    path.write_bytes(path.read_bytes().replace(f'"format":{FORMAT}'.encode(), b'"format":2000'))
    with pytest.raises(NewerSetError, match="format 2000, made by mlflowctl 1"):
        Manifest(path)


def test_a_field_that_this_release_does_not_know_is_no_reason_to_guess(tmp_path):
    path = written(tmp_path / "m")
    header, *rest = path.read_text().splitlines(keepends=True)
    raw = json.loads(header)
    raw["header"]["more"] = 1
    path.write_text(json.dumps(raw) + "\n" + "".join(rest))
    with pytest.raises(DamagedSetError):
        Manifest(path)
