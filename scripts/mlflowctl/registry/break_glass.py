"""Rolling back without the object store: the registry alone decides, the ledger learns of it afterwards."""

from __future__ import annotations

import json

from mlflowctl.errors import ConflictError
from mlflowctl.registry import lifecycle
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import now, quoted
from mlflowctl.registry.moves import Move
from mlflowctl.registry.port import BREAK_GLASS_TAG
from mlflowctl.registry.rollback import NothingToDo, broken_glass, move_to, nowhere


def plan(desk: Desk, model: str, expect: int | None) -> Move | NothingToDo:
    """Without the object store: back to the version that alias ``previous`` names; reads the registry alone.

    Raises:
        IllegalMoveError: there is no such version, or it was rolled back from.
        ConflictError: another version than the expected one is champion.
    """
    champion, target = desk.registry.champion(model), desk.registry.previous(model)
    if champion is None:
        raise nowhere(model, "it has no champion")
    glass = broken_glass(champion)
    if glass and expect in (None, glass["from"]):
        return NothingToDo(champion.version, f"{glass['actor']['name']} did it at {glass['at']}.")
    if expect is not None and champion.version != expect:
        raise ConflictError(
            f"The champion of model {model!r} is v{champion.version}, not v{expect}.",
            state="Nothing was changed.",
            next=f"mlflowctl model status {quoted(model)}",
        )
    if target is None or target.version == champion.version:
        raise nowhere(model, "alias previous names no other version")
    if target.status == "failed":
        raise nowhere(model, f"alias previous names v{target.version}, which failed or was rolled back from")
    lifecycle.require("rollback", target)
    return move_to(model, target.version, champion.version)


def execute(desk: Desk, move: Move, reason: str) -> None:
    """Do it: the database arbitrates, and ``reconcile`` brings it into the ledger later.

    The intent stands as a tag on the target before the switch.
    """
    who = desk.actor.as_dict()
    facts = {"from": move.champion, "to": move.version, "actor": who, "reason": reason, "at": now()}
    desk.registry.tag(move.model, move.version, BREAK_GLASS_TAG, json.dumps(facts))
    desk.registry.move(move.model, move.version, "Production", timeout=20.0)
    for version, key, value in move.tags:
        desk.registry.tag(move.model, version, key, value)
