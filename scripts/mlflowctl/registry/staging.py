"""The moves that are no promotion: into Staging, into the archive, out of service; and the freeze."""

from __future__ import annotations

from typing import Any

from mlflowctl.errors import ConflictError, IllegalMoveError, UsageError
from mlflowctl.plan import Action, Step
from mlflowctl.registry import leases, ledger_state, lifecycle, moves
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Chained, quoted
from mlflowctl.registry.moves import Move
from mlflowctl.registry.port import VALIDATION_STATUS, Version
from mlflowctl.registry.registration import append
from mlflowctl.registry.requirements import named


def plan_stage(desk: Desk, model: str, number: int, replace: int | None) -> Move | None:
    """Make a version the challenger; None if it is.

    Args:
        desk: where to look.
        model: name of the registered model.
        number: the version.
        replace: the challenger that it may push out.

    Raises:
        IllegalMoveError: not from its stage, or there is another challenger.
        ConflictError: ``replace`` names another version than the present challenger.
    """
    version, present = desk.registry.version(model, number), desk.registry.challenger(model)
    if version.stage == "Staging":
        return None
    lifecycle.require("stage", version)
    if present is None and replace is not None:
        raise ConflictError(
            f"Model {model!r} has no challenger to replace.",
            state="Nothing was changed.",
            next=f"mlflowctl model stage {quoted(model)} {number}",
        )
    if present is not None and replace is None:
        raise _occupied(desk, present, number)
    if present is not None and replace != present.version:
        raise ConflictError(
            f"The challenger of model {model!r} is v{present.version}, not v{replace}.",
            state="Nothing was changed.",
            next=f"mlflowctl model status {quoted(model)}",
        )
    champion = desk.registry.champion(model)
    restart = version.stage == "Archived"  # what it once passed was about another champion
    return Move(
        verb="stage",
        model=model,
        version=number,
        stage="Staging",
        champion=champion.version if champion else None,
        challenger=present.version if present else None,
        tags=((number, VALIDATION_STATUS, "pending"),) if restart else (),
        more={"restart": True} if restart else {},
    )


def _occupied(desk: Desk, present: Version, wanted: int) -> IllegalMoveError:
    """Refused, with whose challenger it is and since when."""
    model = present.model
    candidate = desk.head(model).state["candidates"].get(str(present.version), {})
    owner = (candidate.get("proposer") or {}).get("name") or present.user or "unknown"
    return IllegalMoveError(
        f"Model {model!r} has a challenger: v{present.version}, staged by {owner}{_since(desk, present)}.",
        state="Nothing was changed.",
        next=f"mlflowctl model stage {quoted(model)} {wanted} --replace {present.version}",
    )


def _since(desk: Desk, present: Version) -> str:
    staged_at = desk.registry.staged_at(present.model, present.version)
    return f", {_age(staged_at)} ago ({VALIDATION_STATUS} {present.status})" if staged_at else ""


def _age(milliseconds: int) -> str:
    import time

    minutes = max(0, int(time.time() - milliseconds / 1000) // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"


def plan_archive(desk: Desk, model: str, number: int) -> Move | None:
    """Put a version away; None if it is archived."""
    version = desk.registry.version(model, number)
    if version.stage == "Archived":
        return None
    lifecycle.require("archive", version)
    return Move("archive", model, number, "Archived", None, None)


def plan_retire(desk: Desk, model: str) -> Move | None:
    """Take the model out of service; None if it has no champion."""
    champion = desk.registry.champion(model)
    if champion is None:
        desk.registry.model_tags(model)  # raises if there is no such model
        return None
    return Move("retire", model, champion.version, "Archived", champion.version, None)


def refuse_unconfirmed(move: Move, confirm: str) -> None:
    """Retiring wants the model's name typed.

    Raises:
        UsageError: it was not, or another one was.
    """
    if confirm == move.model:
        return
    raise UsageError(
        f"Retiring leaves model {move.model!r} without a champion: nothing will serve it.",
        state=f"Nothing was changed; v{move.version} serves.",
        next=f"If that is meant: mlflowctl model retire {quoted(move.model)} --confirm {quoted(move.model)} "
        "--reason '…'",
    )


def execute(desk: Desk, move: Move, reason: str, *, wait: float) -> Chained:
    """Carry out a move of this module.

    Raises:
        ConflictError: champion or challenger changed meanwhile, or the lease is held.
    """
    with moves.locked(desk, move.model, f"{move.verb} v{move.version}", wait=wait) as (lease, head):
        version = desk.registry.version(move.model, move.version)
        if version.stage not in lifecycle.MOVES[move.verb].sources:
            raise ConflictError(
                f"Somebody was faster: v{move.version} is {lifecycle.STATE_NAMES[version.stage]} by now.",
                state="Nothing was changed by this command.",
                next=f"mlflowctl model status {quoted(move.model)}",
            )
        if move.verb == "stage":
            present = desk.registry.challenger(move.model)
            if (present.version if present else None) != move.challenger:
                now = named(present.version if present else None)
                raise ConflictError(
                    f"Somebody was faster: the challenger is {now} by now.",
                    state="Nothing was changed by this command.",
                    next=f"mlflowctl model status {quoted(move.model)}",
                )
            head = adopt_champion(desk, lease, head)
        if move.verb == "retire":
            moves.forget_glass(desk, version)
        return moves.execute(desk, move, reason, lease, head)


def adopt_champion(desk: Desk, lease: leases.Lease, head: Chained) -> Chained:
    """Take over a champion from before the ledger began; one that it knows of is never touched here."""
    state = head.state
    if state["champion"] is not None or state["reigns"] or state["retired"]:
        return head
    champion = desk.registry.champion(lease.model)
    if champion is None:
        return head
    body = {"champion": champion.version, "challenger": state["challenger"], "by": "adoption"}
    return moves.journal(
        desk, lease, head, ledger_state.OBSERVED, "was champion before the ledger began", body
    )


def plan_freezing(desk: Desk, model: str, freeze: bool) -> list[Step]:
    """What freezing, or its end, would change."""
    desk.registry.model_tags(model)  # raises if there is no such model
    if bool(desk.head(model).state["frozen"]) == freeze:
        return []
    return [
        Step(Action.CHANGE, f"promotions of {model}", "allowed to frozen" if freeze else "frozen to allowed")
    ]


def freezing(desk: Desk, model: str, freeze: bool, reason: str, *, wait: float) -> bool:
    """Stop promotions of the model, or allow them again; False if that is how it was."""
    kind = ledger_state.FROZEN if freeze else ledger_state.UNFROZEN
    with moves.locked(desk, model, kind, wait=wait) as (lease, head):
        if bool(head.state["frozen"]) == freeze:
            return False
        moves.leave(desk, lease, moves.journal(desk, lease, head, kind, reason, {"reason": reason}))
        return True


def approvable(desk: Desk, model: str, number: int) -> dict[str, Any]:
    """The candidate that this person may approve.

    Raises:
        IllegalMoveError: it was not validated, did not pass, or the proposer approves.
    """
    state = desk.head(model).state
    candidate: dict[str, Any] = state["candidates"].get(str(number), {})
    if not candidate:
        desk.registry.version(model, number)  # raises if there is no such version
    if candidate.get("verdict") != "pass" or candidate.get("void"):
        raise IllegalMoveError(
            f"Version {number} of model {model!r} has not passed a validation: there is nothing to approve.",
            state="Nothing was changed.",
            next=f"mlflowctl model validate {quoted(model)} {number}",
        )
    proposer = (candidate.get("proposer") or candidate["validator"])["name"]
    if desk.actor.name == proposer:
        raise IllegalMoveError(
            f"{proposer} proposed version {number}; somebody else must approve it.",
            state="Nothing was changed.",
            next=f"Another person: mlflowctl model approve {quoted(model)} {number} --reason '…'",
        )
    return candidate


def approve(desk: Desk, model: str, number: int, reason: str, candidate: dict[str, Any]) -> dict[str, Any]:
    """Record an approval; it is good for this evidence alone.

    Returns:
        The candidate as it stands afterwards.
    """
    body = {"version": number, "sha256": candidate["sha256"]}
    after = append(desk, model, ledger_state.APPROVED, reason, body).state
    found: dict[str, Any] = after["candidates"][str(number)]
    return found
