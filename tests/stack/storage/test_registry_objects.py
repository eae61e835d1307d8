"""Conditional writes on a real store: who was first, whose own write it is, what changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mlflowctl.errors import AccessError, UnavailableError
from mlflowctl.registry import leases
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.leases import Head, LeaseHeldError
from mlflowctl.registry.objects import Objects

ANN, BOB = Actor("ann", "os", "laptop"), Actor("bob", "os", "server")


@pytest.fixture
def objects(settings, s3) -> Objects:
    s3.create_bucket(Bucket=settings.registry_bucket)
    return Objects(settings)


def answer_is_lost(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The next write arrives, and the library, which heard nothing, sends it once more."""
    put: Callable[..., Any] = objects._put
    sent: list[str] = []

    def twice(key: str, body: bytes, **condition: Any) -> str:
        put(key, body, **condition)
        sent.append(key)
        return str(put(key, body, **condition))

    monkeypatch.setattr(objects, "_put", twice)
    return sent


def test_the_first_write_wins_and_the_second_is_told(objects):
    assert objects.create("ledger/m/1.json", b"ann") is not None
    assert objects.create("ledger/m/1.json", b"bob") is None
    assert objects.get("ledger/m/1.json").body == b"ann"


def test_a_write_that_was_sent_twice_recognises_itself(objects, monkeypatch):
    sent = answer_is_lost(objects, monkeypatch)
    etag = objects.create("ledger/m/1.json", b"ann")
    assert sent == ["ledger/m/1.json"]
    assert etag == objects.get("ledger/m/1.json").etag


def test_an_overwrite_that_was_sent_twice_recognises_itself(objects, monkeypatch):
    etag = objects.create("leases/m.json", b"free")
    sent = answer_is_lost(objects, monkeypatch)
    new = objects.replace("leases/m.json", b"held", etag)
    assert sent == ["leases/m.json"]
    assert new == objects.get("leases/m.json").etag


def test_an_overwrite_needs_what_was_read(objects):
    old = objects.create("leases/m.json", b"one")
    new = objects.replace("leases/m.json", b"two", old)
    assert new not in (None, old)
    assert objects.replace("leases/m.json", b"three", old) is None
    assert objects.get("leases/m.json").body == b"two"


def test_an_overwrite_of_nothing_is_refused(objects):
    assert objects.replace("leases/absent.json", b"one", '"0123456789abcdef0123456789abcdef"') is None


def test_of_many_writers_at_once_exactly_one_is_first(objects):
    with ThreadPoolExecutor(8) as writers:
        won = list(writers.map(lambda n: objects.create("ledger/m/2.json", b"%d" % n), range(16)))
    assert sum(one is not None for one in won) == 1


def test_what_is_not_there_is_none_and_what_is_has_an_age_by_the_stores_clock(objects):
    assert objects.get("ledger/m/3.json") is None
    objects.create("ledger/m/3.json", b"now")
    assert 0 <= objects.get("ledger/m/3.json").age <= 2


def test_a_missing_bucket_and_a_wrong_key_are_errors_and_not_an_empty_ledger(objects, settings):
    from dataclasses import replace

    with pytest.raises(UnavailableError):
        Objects(replace(settings, registry_bucket="no-such-bucket")).get("ledger/m/1.json")
    with pytest.raises(AccessError):
        Objects(replace(settings, secret_access_key="wrong")).get("ledger/m/1.json")


def test_keys_come_in_order_from_behind_a_key(objects):
    for number in range(1, 8):
        objects.create(f"ledger/m/{number}.json", b"x")
    assert objects.keys_after("ledger/m/", "ledger/m/3.json", 2) == ["ledger/m/4.json", "ledger/m/5.json"]
    assert objects.folders("ledger/") == ["m"]


def test_one_lease_at_a_time_and_the_next_holder_finds_the_witness(objects):
    with leases.held(objects, "m", ANN, "promote v2") as first:
        first.head = Head(7, "ab")
        with pytest.raises(LeaseHeldError, match="ann on laptop"):
            leases.acquire(objects, "m", BOB, "rollback")
    with leases.held(objects, "m", BOB, "rollback") as second:
        assert second.head == Head(7, "ab")


def test_a_dead_holders_lease_runs_out_by_the_stores_clock(objects, monkeypatch):
    monkeypatch.setattr(leases, "TTL", 0.2)
    monkeypatch.setattr(leases, "SLACK", 0.5)
    leases.acquire(objects, "m", ANN, "dies here")
    with pytest.raises(LeaseHeldError):
        leases.acquire(objects, "m", BOB, "rollback")
    taken = leases.acquire(objects, "m", BOB, "rollback", wait=5)
    assert taken.record["holder"]["name"] == "bob"


def test_whoever_was_taken_over_gives_nothing_back(objects, monkeypatch):
    old = leases.acquire(objects, "m", ANN, "is paused here")
    leases.break_it(objects, "m", BOB, "its machine is gone")
    new = leases.acquire(objects, "m", BOB, "rollback")
    assert leases.release(objects, old) is False
    assert not leases.is_ours(objects, old)
    assert leases.is_ours(objects, new)


def test_a_lease_whose_change_is_still_on_its_way_is_not_given_back(objects):
    with leases.held(objects, "m", ANN, "promote v2") as lease:
        lease.keep = True
    with pytest.raises(LeaseHeldError):
        leases.acquire(objects, "m", BOB, "rollback")


def test_a_store_that_fails_at_the_release_does_not_hide_what_was_done(objects, monkeypatch):
    def down(*_: object) -> None:
        raise UnavailableError("the store is down")

    with leases.held(objects, "m", ANN, "promote v2"):
        monkeypatch.setattr(objects, "replace", down)
