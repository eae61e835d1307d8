"""Mending what registry and ledger disagree about, under the lease; discrepancies.py finds it."""

from __future__ import annotations

from typing import Any

from mlflowctl.errors import ConflictError
from mlflowctl.plan import Action, pending
from mlflowctl.registry import leases, ledger_state, moves
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.discrepancies import Mend, Prefer, plan
from mlflowctl.registry.ledger import Chained, quoted
from mlflowctl.registry.moves import Move
from mlflowctl.registry.port import (
    BREAK_GLASS_TAG,
    RETIRE_TAG,
)
from mlflowctl.registry.registration import append

ROUNDS = 4


def execute(desk: Desk, model: str, prefer: Prefer, reason: str, *, wait: float) -> list[Mend]:
    """Mend what is out of step, under the lease; finishing a dead command's move comes by itself.

    Returns:
        What was done, and what a person has to decide.
    """
    done: list[Mend] = []
    before = desk.head(model)
    with moves.locked(desk, model, "reconcile", wait=wait) as (lease, head):
        if before.state["open"]:
            how = "finished" if head.entry and head.entry.kind == ledger_state.DONE else "aborted"
            done.append(Mend(Action.CHANGE, "unfinished move", how, "finish"))
        steps: list[Mend] = []
        for _ in range(ROUNDS):  # what is recorded in one round can bring something to light for the next
            steps = plan(desk, model, prefer, head)
            if not pending(steps):
                break
            head = _mend(desk, lease, head, reason, steps)
            moves.leave(desk, lease, head)
            done += [step for step in steps if step.effective]
    return done + [step for step in steps if not step.effective]


def _mend(desk: Desk, lease: leases.Lease, head: Chained, reason: str, steps: list[Mend]) -> Chained:
    """Do the steps of one plan; returns the ledger's head after them."""
    observed, model = False, lease.model
    for step in steps:
        if step.kind in ("observe", "glass"):
            if not observed:
                head, observed = _observe(desk, lease, head, reason, step), True
        elif step.kind == "switch":
            head = _switch(desk, lease, head, reason, step)
        elif step.kind == "acknowledge":
            known = {"acknowledged": step.facts["ids"], "lost": step.facts["lost"]}
            body = {**_as_it_is(desk, model), **known, "by": "reconcile"}
            head = moves.journal(desk, lease, head, ledger_state.OBSERVED, reason, body)
        elif step.kind == "tag":
            desk.registry.tag(model, step.facts["version"], step.facts["key"], step.facts["value"])
        elif step.kind == "untag-retire":
            desk.registry.untag_model(model, RETIRE_TAG)
        elif step.kind == "untag-glass":
            desk.registry.untag(model, step.facts["version"], BREAK_GLASS_TAG)
    return head


def _as_it_is(desk: Desk, model: str) -> dict[str, Any]:
    champion, challenger = desk.registry.champion(model), desk.registry.challenger(model)
    return {
        "champion": champion.version if champion else None,
        "challenger": challenger.version if challenger else None,
    }


def _observe(desk: Desk, lease: leases.Lease, head: Chained, reason: str, step: Mend) -> Chained:
    body = {**_as_it_is(desk, lease.model), "by": "reconcile"}
    if step.kind == "glass":
        if body["champion"] != step.facts["to"]:
            raise ConflictError(
                "The champion changed at this very moment.",
                state="Nothing was recorded.",
                next=f"mlflowctl model reconcile {quoted(lease.model)}",
            )
        body |= {"failed": step.facts["from"], "by": "break-glass", "glass": step.facts}
    written = moves.journal(desk, lease, head, ledger_state.OBSERVED, reason, body)
    if step.kind == "glass":
        desk.registry.untag(lease.model, step.facts["to"], BREAK_GLASS_TAG)
    return written


def _switch(desk: Desk, lease: leases.Lease, head: Chained, reason: str, step: Mend) -> Chained:
    """Back to what the ledger says: first record what is, so that the switch is one like any other."""
    head = _observe(desk, lease, head, reason, Mend(Action.CREATE, "ledger entry", "", "observe"))
    move = Move("promote", lease.model, step.facts["version"], "Production", step.facts["champion"], None,
                more={"restored": True})  # fmt: skip
    return moves.execute(desk, move, reason, lease, head)


def plan_break(desk: Desk, model: str) -> list[Mend]:
    """Ending another command's lease, if one is held."""
    record, age = leases.look(desk.objects, model)
    if record is None or leases.is_free(record, age):
        return []
    who = record.get("holder", {}).get("name", "unknown")
    return [Mend(Action.REMOVE, "lease", f"of {who} ({record.get('message')}), {age:.0f} s old", "break")]


def break_lease(desk: Desk, model: str, reason: str) -> None:
    """End another command's lease, and say so in the ledger."""
    broken = leases.break_it(desk.objects, model, desk.actor, reason)
    if broken:
        append(
            desk,
            model,
            ledger_state.LEASE_BROKEN,
            reason,
            {"holder": broken.get("holder"), "message": broken.get("message")},
        )
