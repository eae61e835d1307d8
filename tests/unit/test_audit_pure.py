"""The parts of the audit that need no store: chain, folds, witnesses; and entries as they are stored."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry import ledger_state
from mlflowctl.registry.audit import Audit, _link, _refold, _Witnesses
from mlflowctl.registry.leases import Head
from mlflowctl.registry.ledger import FIRST, BrokenLedgerError, Entry, Ledger, key, prefix
from mlflowctl.registry.moves import Move
from mlflowctl.registry.objects import Objects
from mlflowctl.storage.settings import S3Settings

ANN = {"name": "ann", "kind": "os", "host": "laptop"}
NOWHERE = Objects(S3Settings("http://127.0.0.1:9", "us-east-1", "key", "secret"))


def entry(number: int = 1, previous: str = FIRST, **changed: Any) -> Entry:
    body = {"reason": "release week"}
    state = ledger_state.fold(ledger_state.empty(), "frozen", number, "now", ANN, body)
    usual = Entry("churn", number, previous, "now", "frozen", ANN, "why", body, state, "id")
    return replace(usual, **changed)


def kinds(found: Audit) -> list[str]:
    return [one.kind for one in found.findings]


@pytest.mark.parametrize(
    ("one", "previous", "found"),
    [
        (entry(), FIRST, []),
        (entry(previous="ab"), FIRST, ["edited"]),
        (entry(2, "ab"), "ab", []),
        (entry(2, "ab"), "cd", ["edited"]),
        (entry(2, FIRST), "cd", ["edited"]),
    ],
)
def test_an_entry_must_name_the_one_before_it(one, previous, found):
    audit = Audit("churn")
    _link(audit, one, previous, one.number)
    assert kinds(audit) == found


def test_a_state_that_does_not_follow_is_found_once():
    audit = Audit("churn")
    lied = entry(state=ledger_state.empty())
    assert _refold(audit, lied, ledger_state.empty()) == lied.state
    assert kinds(audit) == ["state"]


def test_a_state_that_follows_is_no_finding():
    audit = Audit("churn")
    _refold(audit, entry(), ledger_state.empty())
    assert kinds(audit) == []


def test_an_entry_that_lacks_what_its_kind_needs_is_damaged():
    audit = Audit("churn")
    _refold(audit, entry(kind="done", body={}), ledger_state.empty())
    assert kinds(audit) == ["damaged"]


@pytest.mark.parametrize(
    ("tag", "lease", "found"),
    [
        (Head(2, "b"), Head(1, "a"), []),
        (Head(), Head(), []),
        (Head(3, "c"), Head(2, "b"), ["truncated"]),
        (Head(3, "c"), Head(3, "c"), ["truncated", "truncated"]),
        (Head(2, "x"), Head(1, "a"), ["edited"]),
        (Head(2, "b"), Head(1, "x"), ["edited"]),
    ],
)
def test_two_witnesses_remember_heads(tag, lease, found):
    audit, witnesses = Audit("churn"), _Witnesses(tag, lease)
    for number, digest in ((1, "a"), (2, "b")):
        witnesses.see(number, digest)
    witnesses.judge(audit)
    assert kinds(audit) == found


def test_an_entry_comes_back_from_its_bytes_and_its_hash_is_theirs():
    body = entry().encode()
    found = Ledger(NOWHERE, "churn")._parse(1, body)
    assert found.entry == entry()
    assert found.hash == hashlib.sha256(body).hexdigest()
    assert found.state["frozen"]


@pytest.mark.parametrize(
    ("number", "body"),
    [
        (1, b""),
        (1, b"[]"),
        (1, b"{}"),
        (1, b"\xff"),
        (1, entry().encode().replace(b'"kind"', b'"sort"')),
        (2, entry().encode()),
        (1, entry(model="other").encode()),
    ],
)
def test_what_is_no_entry_of_this_place_breaks_the_ledger(number, body):
    with pytest.raises(BrokenLedgerError) as broken:
        Ledger(NOWHERE, "churn")._parse(number, body)
    assert "mlflowctl model audit churn" in broken.value.next


def test_an_entry_of_a_newer_version_is_not_called_broken():
    newer = entry().encode().replace(b"mlflowctl.ledger/1", b"mlflowctl.ledger/2")
    with pytest.raises(MlflowctlError, match="newer mlflowctl") as refused:
        Ledger(NOWHERE, "churn")._parse(1, newer)
    assert not isinstance(refused.value, BrokenLedgerError)


def test_keys_sort_by_number_and_models_never_share_a_folder():
    assert sorted([key("m", 10), key("m", 9), key("m", 100)]) == [key("m", 9), key("m", 10), key("m", 100)]
    assert not prefix("a/b").startswith(prefix("a"))
    assert prefix("a/b") != prefix("a%2Fb")


def test_a_move_comes_back_from_what_the_ledger_records():
    move = Move(
        "rollback",
        "churn",
        1,
        "Production",
        champion=2,
        challenger=None,
        tags=((2, "validation_status", "failed"),),
        more={"override": False},
    )
    assert Move.from_body("churn", move.as_body()) == move


def test_a_move_says_everything_that_will_be_different():
    move = Move("promote", "churn", 8, "Production", champion=7, challenger=8)
    said = [f"{step.target}: {step.detail}" for step in move.steps()]
    assert said == [
        "version 8: to Production",
        "version 7: Production to Archived, same instant",
        "alias champion: v7 to v8",
    ]
