"""The last look before the switch: a command whose lease is over does not switch any more."""

from __future__ import annotations

import uuid

import lifecycle_commands as commands
import pytest
from lifecycle_machine import SOURCE
from tests.stack.conftest import Stack

from mlflowctl.registry import leases, moves, registration, staging
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.moves import FencedError, Move


@pytest.fixture
def desk(stack: Stack) -> Desk:
    made = commands.desk(stack.context, "ann")
    made.registry.rest.put_artifact("lifecycle/stub-model/MLmodel", b"flavors: {}\n")
    return made


@pytest.fixture
def move(desk: Desk) -> Move:
    """Version 1 is to become the challenger."""
    model = f"fence {uuid.uuid4().hex[:10]}"
    registration.register(desk, model, SOURCE, "stub")
    planned = staging.plan_stage(desk, model, 1, None)
    assert planned is not None
    return planned


def test_a_command_that_took_too_long_does_not_switch(desk, move, monkeypatch):
    clock = leases.clock
    with moves.locked(desk, move.model, "slow", wait=0) as (lease, head):
        monkeypatch.setattr(leases, "clock", lambda: clock() + leases.TTL / 2)
        with pytest.raises(FencedError, match="took too long"):
            moves.execute(desk, move, "slow", lease, head)

    assert desk.registry.version(move.model, 1).stage == "None"
    assert desk.head(move.model).state["open"] is None


def test_a_command_whose_lease_was_broken_does_not_switch(desk, move):
    with moves.locked(desk, move.model, "paused", wait=0) as (lease, head):
        leases.break_it(desk.objects, move.model, desk.actor, "taken for dead")
        with pytest.raises(FencedError, match="broken or taken over"):
            moves.execute(desk, move, "paused", lease, head)

    assert desk.registry.version(move.model, 1).stage == "None"
    assert desk.head(move.model).state["open"] is None


def test_a_command_that_others_went_past_does_not_even_begin(desk, move):
    with moves.locked(desk, move.model, "paused", wait=0) as (lease, head):
        leases.break_it(desk.objects, move.model, desk.actor, "taken for dead")
        commands.stage(desk, move.model, 1, None)
        with pytest.raises(FencedError, match="went on with model"):
            moves.execute(desk, move, "paused", lease, head)

    kinds = [one.entry.kind for one in desk.ledger(move.model).entries() if one.entry]
    assert kinds == ["registered", "intent", "done"]
