"""From access log to records: every request once, whatever is killed in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlflowctl.errors import UnavailableError
from mlflowctl.serving import records
from mlflowctl.serving.place import Place
from mlflowctl.serving.shipping import Shipping, parsed


class StandInBucket:
    """In memory; creates only what is not there, as the bucket does."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.fails = False

    def create(self, key: str, body: bytes) -> str | None:
        if self.fails:
            raise UnavailableError("the store does not answer")
        return "etag" if self.kept.setdefault(key, body) == body else None

    def get(self, key: str) -> Any:
        from mlflowctl.registry.objects import Stored

        return Stored(self.kept[key], "etag", 0.0) if key in self.kept else None

    def folders(self, prefix: str) -> list[str]:
        return sorted({key[len(prefix) :].split("/")[0] for key in self.kept if key.startswith(prefix)})

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        return [key for key in sorted(self.kept) if key.startswith(prefix) and key > after][:limit]


class StandInGateway:
    def __init__(self, place: Place) -> None:
        self.place = place

    def reopen_log(self) -> None:
        self.place.access_log.touch()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.create()
    return found


def line(number: int, **more: Any) -> bytes:
    raw = {
        "ClientHost": "10.0.0.7", "DownstreamStatus": 200, "Duration": 12_345_678,
        "RouterName": "predict@file", "ServiceName": "s12-challenger-v7@file",
        "StartUTC": "2026-11-27T23:42:50.118467259Z",
        "downstream_X-Request-Id": f"r{number}",
    }  # fmt: skip
    return json.dumps({**raw, **more}).encode() + b"\n"


def shipper(place: Place, bucket: StandInBucket) -> Shipping:
    class StandInDesk:
        objects = bucket

    return Shipping(StandInDesk(), "a/b", place, StandInGateway(place))  # type: ignore[arg-type]


def shipped(bucket: StandInBucket) -> list[str]:
    return [
        record.request
        for gateway, sequence in records.chunks(bucket, "a/b", {})  # type: ignore[arg-type]
        for record in records.read_chunk(bucket, "a/b", gateway, sequence)  # type: ignore[arg-type]
    ]


def append(place: Place, *lines: bytes) -> None:
    with place.access_log.open("ab") as log:
        log.write(b"".join(lines))


def test_a_line_becomes_a_record():
    found = parsed(line(1), "salt")
    assert found is not None
    assert (found.request, found.variant, found.version, found.step, found.status) == (
        "r1", "challenger", 7, 12, 200,
    )  # fmt: skip
    assert found.ms == 12.346
    assert found.at == pytest.approx(1795822970.118467)
    assert found.client is not None
    assert "10.0.0.7" not in found.client


@pytest.mark.parametrize(
    "more",
    [
        {"RouterName": "other@file"},  # no prediction
        {"RouterName": "forced-challenger@file"},  # a tester chose the variant
        {"ServiceName": "all@file"},
        {"ServiceName": ""},
        {"ServiceName": "fallback@file"},  # nobody was asked: there is no champion
        {"ServiceName": "s12-x@file", "downstream_X-Model-Asked": "s12-challenger-v7"},
    ],
)
def test_what_was_not_drawn_is_no_record(more):
    assert parsed(line(1, **more), "salt") is None


def test_an_answer_that_the_fallback_gave_counts_for_the_server_that_gave_none():
    more = {"ServiceName": "fallback@file", "downstream_X-Model-Asked": "s12-champion-v6"}
    found = parsed(line(1, **more, DownstreamStatus=502), "salt")
    assert found is not None
    assert (found.variant, found.version, found.step, found.status) == ("champion", 6, 12, 502)


def test_a_server_cannot_say_that_another_one_failed():
    found = parsed(line(1, **{"downstream_X-Model-Asked": "s12-champion-v6"}), "salt")
    assert found is not None
    assert (found.variant, found.version) == ("challenger", 7)


def test_a_client_is_who_says_so_else_its_address():
    def told(**more: Any) -> str | None:
        found = parsed(line(1, **more), "salt")
        assert found is not None
        return found.client

    named = told(**{"request_X-Client-Id": "ann"})
    assert named == told(**{"request_X-Client-Id": "ann"}, ClientHost="10.0.0.8")
    assert named != told() == told()


def test_half_a_line_waits_for_its_end(place):
    bucket = StandInBucket()
    ship = shipper(place, bucket)
    whole = line(2)
    append(place, line(1), whole[:20])
    ship.ship()
    assert shipped(bucket) == ["r1"]
    append(place, whole[20:])
    ship.ship()
    assert shipped(bucket) == ["r1", "r2"]


def test_lines_that_are_none_are_passed_over(place):
    bucket = StandInBucket()
    append(place, b"no json\n", line(1), b"{}\n")
    shipper(place, bucket).ship()
    assert shipped(bucket) == ["r1"]


def test_while_the_store_does_not_answer_the_log_waits(place):
    bucket = StandInBucket()
    bucket.fails = True
    ship = shipper(place, bucket)
    append(place, line(1))
    ship.ship()
    assert "does not answer" in ship.trouble
    append(place, line(2))
    bucket.fails = False
    ship.ship()
    ship.ship()
    assert (shipped(bucket), ship.trouble) == (["r1", "r2"], "")


def test_a_shipper_killed_at_any_write_ships_every_line_once(place, monkeypatch):
    """Each write to disk or store is the last one of some shipper; the next goes on from there."""

    class Killed(BaseException):
        pass

    bucket, count = StandInBucket(), 0
    append(place, *[line(number) for number in range(3)])
    for deadline in range(1, 8):
        ship, done = shipper(place, bucket), 0

        def step(real, *arguments, deadline=deadline):
            nonlocal done
            done += 1
            if done == deadline:
                raise Killed
            return real(*arguments)

        writing, creating = Shipping._write, StandInBucket.create
        monkeypatch.setattr(Shipping, "_write", lambda *a, real=writing, step=step: step(real, *a))
        monkeypatch.setattr(StandInBucket, "create", lambda *a, real=creating, step=step: step(real, *a))
        try:
            ship.ship()
        except Killed:
            pass
        finally:
            monkeypatch.undo()
        count += 2
        append(place, line(1000 + count), line(1001 + count))
    shipper(place, bucket).ship()
    found = shipped(bucket)
    assert len(found) == len(set(found)) == 3 + count


def test_a_large_log_is_begun_anew_and_nothing_is_lost(place, monkeypatch):
    monkeypatch.setattr("mlflowctl.serving.shipping.ROTATE", 1000)
    bucket = StandInBucket()
    ship = shipper(place, bucket)
    old = [line(number) for number in range(10)]
    append(place, *old)
    ship.ship()  # ships, and renames the log
    renamed = place.gateway / "access.log.old"
    with renamed.open("ab") as log:  # the gateway had not heard yet
        log.write(line(10))
    append(place, line(11))
    for _ in range(5):
        ship.ship()
    assert not renamed.exists()
    assert shipped(bucket) == [f"r{number}" for number in range(12)]


def test_a_log_that_somebody_removed_is_read_from_its_start(place):
    bucket = StandInBucket()
    ship = shipper(place, bucket)
    append(place, line(1), line(2))
    ship.ship()
    place.access_log.rename(place.gateway / "kept-by-a-person")
    append(place, line(3))
    ship.ship()
    assert shipped(bucket) == ["r1", "r2", "r3"]


def test_records_come_by_gateway_and_in_order_beyond_what_is_known():
    bucket = StandInBucket()
    one = parsed(line(1), "salt")
    assert one is not None
    for gateway, sequence in (("b", 1), ("a", 2), ("a", 1), ("a", 10)):
        assert records.write_chunk(bucket, "m", gateway, sequence, [one])  # type: ignore[arg-type]
    found = list(records.chunks(bucket, "m", {"a": 1}))  # type: ignore[arg-type]
    assert found == [("a", 2), ("a", 10), ("b", 1)]
    assert not records.write_chunk(bucket, "m", "a", 2, [])  # type: ignore[arg-type]
    assert list(records.read_chunk(bucket, "m", "a", 3)) == []  # type: ignore[arg-type]
