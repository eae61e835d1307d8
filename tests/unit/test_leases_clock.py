"""When a lease is over: by the store's clock for others, by the machine's own for its holder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from mlflowctl.registry import leases
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.leases import SLACK, TTL, Head, is_free, witnessed
from mlflowctl.registry.objects import Stored, _age

ANN = Actor("ann", "os", "laptop")
HELD: dict[str, Any] = {"ttl": TTL, "released": False}


@pytest.mark.parametrize(
    ("record", "age", "free"),
    [
        (None, 0.0, True),
        (HELD, 0.0, False),
        (HELD, TTL, False),
        (HELD, TTL + SLACK, False),
        (HELD, TTL + SLACK + 0.1, True),
        (HELD | {"released": True}, 0.0, True),
        (HELD | {"ttl": 5.0}, 5.0 + SLACK + 0.1, True),
        ({}, TTL, False),
        ({}, TTL + SLACK + 1, True),
    ],
)
def test_a_lease_is_free_if_never_taken_or_released_or_run_out(record, age, free):
    assert is_free(record, age) is free


def answer(date: datetime, modified: datetime) -> dict[str, Any]:
    headers = {"date": format_datetime(date, usegmt=True)}
    return {"ResponseMetadata": {"HTTPHeaders": headers}, "LastModified": modified}


@pytest.mark.parametrize("wrong", [timedelta(0), timedelta(hours=5), timedelta(days=-400)])
def test_the_age_of_an_object_is_told_by_the_stores_clock_alone(wrong):
    written = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC) + wrong
    assert _age(answer(written + timedelta(seconds=42), written)) == 42.0


def test_a_store_that_tells_no_time_makes_no_lease_run_out():
    written = datetime(2026, 11, 24, tzinfo=UTC)
    assert _age({"ResponseMetadata": {"HTTPHeaders": {}}, "LastModified": written}) == 0.0


def lease(ends: float) -> leases.Lease:
    return leases.Lease("churn", {}, '"etag"', ends, Head(), TTL)


def test_what_remains_is_counted_on_the_machines_own_clock(monkeypatch):
    monkeypatch.setattr(leases, "clock", lambda: 1000.0)
    assert lease(1000.0 + TTL).remaining == TTL
    assert lease(990.0).remaining == -10.0


def test_the_holder_gives_up_before_others_may_take_over():
    """The holder counts from before it asked, without slack; others from when it was written, with slack."""
    assert SLACK > 0
    assert not is_free(HELD, TTL + SLACK)


def test_a_damaged_record_ends_by_its_age_and_never_at_once():
    for body in (b"", b"[]", b"\xff", b'"released"'):
        record = leases._parse(Stored(body, '"etag"', 0.0))
        assert not is_free(record, TTL)
        assert is_free(record, TTL + SLACK + 1)


@pytest.mark.parametrize("record", [None, {}, {"head": None}, {"head": {}}, {"head": "12"}])
def test_no_witness_is_no_hint(record):
    assert witnessed(record) == Head()


def test_the_witness_is_what_the_last_lease_left():
    assert witnessed({"head": {"number": 12, "hash": "ab"}}) == Head(12, "ab")


def test_whoever_finds_it_held_is_told_by_whom_for_how_long_and_what_to_do():
    record = HELD | {"holder": ANN.as_dict(), "message": "promote v8"}
    said = leases._held_by("churn", record, Stored(b"", '"etag"', 20.0))
    assert said.what == "ann on laptop is changing model 'churn' (promote v8), for 20 s."
    assert f"ends in {TTL + SLACK - 20:.0f} s" in said.state
    assert "--lease-wait" in said.next
    assert "--break-lease" in said.next
    assert said.exit_code == 5


def test_a_model_of_any_name_has_one_key():
    assert leases.key("a/b c").count("/") == 1
    assert leases.key("a/b") != leases.key("a%2Fb")
