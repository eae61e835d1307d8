"""From a validated challenger to the champion: what must hold, the plan, and carrying it out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflowctl.errors import (
    ConflictError,
    IllegalMoveError,
    UsageError,
)
from mlflowctl.files import write_atomic
from mlflowctl.registry import ledger_state, lifecycle, moves
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Chained, quoted
from mlflowctl.registry.moves import Move
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.port import DIGEST_TAG, EVIDENCE_TAG, VALIDATION_STATUS, Version
from mlflowctl.registry.requirements import (
    refuse_drift,
    refuse_frozen,
    refuse_harmful,
    refuse_tampered,
    refuse_unfinished,
    refuse_unproven,
)

PLAN_SCHEMA = "mlflowctl.model.plan/1"


@dataclass(frozen=True)
class Plan:
    """A promotion that was decided on, and the state that the decision rests on.

    Attributes:
        move: what will be done.
        observed: champion, challenger, their digests, policy, evidence and approvals; ``apply`` refuses the
            plan if any of it has moved on.
    """

    move: Move
    observed: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        body = {"model": self.move.model, **self.move.as_body()}
        return {"schema": PLAN_SCHEMA, "move": body, "observed": self.observed}

    def save(self, path: Path) -> None:
        write_atomic(path, json.dumps(self.as_dict(), indent=2, sort_keys=True) + "\n", mode=0o644)


def load(path: Path) -> Plan:
    """Read a plan that ``save`` wrote.

    Raises:
        UsageError: it is missing, or no plan.
    """
    try:
        raw = json.loads(path.read_text())
        if raw["schema"] != PLAN_SCHEMA:
            raise ValueError(f"schema {raw['schema']}")
        body = raw["move"]
        return Plan(Move.from_body(body.pop("model"), body), raw["observed"])
    except OSError as exc:
        raise UsageError(
            f"The plan {path} cannot be read: {exc.strerror}.",
            state="Nothing was changed.",
            next="mlflowctl model plan NAME --out FILE",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UsageError(
            f"{path} is no plan of this mlflowctl ({exc}).",
            state="Nothing was changed.",
            next="mlflowctl model plan NAME --out FILE",
        ) from None


def make_plan(desk: Desk, model: str, policy: Policy, *, override: bool = False) -> Plan:
    """Decide on the promotion of the challenger; reads only.

    Args:
        desk: where to look.
        model: name of the registered model.
        policy: as it stands in the file now.
        override: promote although the gates do not say pass.

    Raises:
        IllegalMoveError: no challenger, not validated, not approved, or frozen.
        GateFailedError, InconclusiveError: the evidence does not say pass.
        ConflictError: the evidence is about another champion or policy, or the registry was changed
            behind the ledger's back.
    """
    champion, challenger = desk.registry.champion(model), desk.registry.challenger(model)
    if challenger is None:
        raise IllegalMoveError(
            f"Model {model!r} has no challenger.",
            state="Nothing was changed.",
            next=f"mlflowctl model stage {quoted(model)} VERSION",
        )
    lifecycle.require("promote", challenger)
    state = desk.head(model).state
    refuse_unfinished(model, state)
    refuse_drift(model, state, champion)
    refuse_frozen(model, state)
    candidate, unrecorded = _candidate(desk, challenger, state)
    if not override:
        refuse_unproven(model, challenger, champion, candidate, policy)
        refuse_harmful(model, challenger, champion, state)
    refuse_tampered(desk, challenger, candidate.get("digest"))
    more = {
        "policy": policy.digest,
        "evidence": candidate.get("evidence"),
        "sha256": candidate.get("sha256"),
        "digest": candidate.get("digest") or challenger.tags.get(DIGEST_TAG),
        "keep": policy.keep_archived,
        "override": override,
        **({"validation": unrecorded} if unrecorded else {}),
    }
    move = Move(
        verb="promote",
        model=model,
        version=challenger.version,
        stage="Production",
        champion=champion.version if champion else None,
        challenger=challenger.version,
        more=more,
    )
    return Plan(move, _observed(champion, challenger, candidate, policy))


def _candidate(
    desk: Desk, challenger: Version, state: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What the ledger knows of the challenger's validation, or evidence that it does not know of yet.

    A validation by somebody who may not write the ledger stands in the bucket and on the version.

    Returns:
        The candidate, and the entry that is still to be written (None: nothing).

    Raises:
        ConflictError: the evidence was changed, or it counts its look at the holdout wrongly.
    """
    known: dict[str, Any] = state["candidates"].get(str(challenger.version), {})
    key, _, digest = challenger.tags.get(EVIDENCE_TAG, "").partition(" ")
    if not digest or digest == known.get("sha256"):
        return known, None
    from mlflowctl.registry.evidence.store import Stored, read
    from mlflowctl.registry.recording import ledger_body

    evidence = read(desk.objects.settings, key, digest)
    body = ledger_body(evidence, Stored(key, digest))
    wrong = (evidence.model, evidence.version) != (challenger.model, challenger.version)
    if body["holdout"]:
        wrong |= ledger_state.next_look(state, body["holdout"], body["question"]) != body["look"]
    if wrong:
        raise ConflictError(
            f"The evidence of version {challenger.version} is not the next look at this holdout, or is about "
            "another version.",
            state="Nothing was changed.",
            next=f"mlflowctl model validate {quoted(challenger.model)} {challenger.version}",
        )
    after = ledger_state.fold(state, ledger_state.VALIDATED, 0, evidence.at, evidence.actor, body)
    return after["candidates"][str(challenger.version)], body


def _observed(
    champion: Version | None, challenger: Version, candidate: dict[str, Any], policy: Policy
) -> dict[str, Any]:
    return {
        "champion": champion.version if champion else None,
        "champion digest": champion.tags.get(DIGEST_TAG) if champion else None,
        "challenger": challenger.version,
        "challenger digest": challenger.tags.get(DIGEST_TAG),
        "validation status": challenger.tags.get(VALIDATION_STATUS),
        "policy": policy.digest,
        "evidence": _standing(candidate),
    }


def is_champion(desk: Desk, move: Move) -> bool:
    """Whether the move's version serves already, so that a repeated apply has nothing to do."""
    champion = desk.registry.champion(move.model)
    return champion is not None and champion.version == move.version


def refuse_moved(desk: Desk, planned: Plan, policy: Policy) -> None:
    """Refuse a plan whose ground has moved, before anything is judged anew: stale, whatever it lacks now.

    Raises:
        ConflictError: it has.
    """
    model = planned.move.model
    champion, challenger = desk.registry.champion(model), desk.registry.challenger(model)
    now: dict[str, Any] = {
        "champion": champion.version if champion else None,
        "challenger": challenger.version if challenger else None,
        "policy": policy.digest,
    }
    if challenger:
        candidate, _ = _candidate(desk, challenger, desk.head(model).state)
        now = _observed(champion, challenger, candidate, policy)
    moved = _differences(planned.observed, now)
    if moved:
        raise _stale(model, moved)


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{name}: planned on {before.get(name)}, now {value}"
        for name, value in now.items()
        if before.get(name) != value
    ]


def _stale(model: str, moved: list[str]) -> ConflictError:
    return ConflictError(
        f"The plan is stale: {'; '.join(moved) or 'the move itself would be another one'}.",
        state="Nothing was changed.",
        next=f"mlflowctl model plan {quoted(model)} --out FILE",
    )


def stale(planned: Plan, now: Plan) -> list[str]:
    """What has moved on since a plan was made, in words."""
    return _differences(planned.observed, now.observed)


def refuse_stale(planned: Plan, now: Plan) -> None:
    """Refuse a plan whose ground has moved.

    Raises:
        ConflictError: it has.
    """
    moved = stale(planned, now)
    if moved or planned.move != now.move:
        raise _stale(now.move.model, moved)


def execute(desk: Desk, plan: Plan, reason: str, *, wait: float) -> Chained:
    """Promote: everything slow is done; take the lease, look once more, switch.

    Returns:
        The ledger's head after it.

    Raises:
        ConflictError: somebody was faster, or holds the lease.
    """
    move = plan.move
    message = f"promote v{move.version}"
    with moves.locked(desk, move.model, message, wait=wait) as (lease, head):
        champion, challenger = desk.registry.champion(move.model), desk.registry.challenger(move.model)
        refuse_drift(move.model, head.state, champion)
        refuse_frozen(move.model, head.state)
        now = {
            "champion": champion.version if champion else None,
            "challenger": challenger.version if challenger else None,
            "evidence": _evidence_now(move, head.state),
        }
        moved = [name for name, value in now.items() if plan.observed[name] != value]
        if moved:
            raise ConflictError(
                f"Somebody was faster: {', '.join(f'{name} is now {now[name]}' for name in moved)}.",
                state="Nothing was changed by this command.",
                next=f"mlflowctl model status {quoted(move.model)}",
            )
        if "validation" in move.more and move.more["sha256"] != _known_evidence(move, head.state):
            head = moves.journal(
                desk, lease, head, ledger_state.VALIDATED, "made without the ledger", move.more["validation"]
            )
        moves.forget_glass(desk, champion)
        return moves.execute(desk, move, reason, lease, head)


def _known_evidence(move: Move, state: dict[str, Any]) -> str | None:
    return _standing(state["candidates"].get(str(move.version), {}))


def _standing(candidate: dict[str, Any]) -> str | None:
    """The evidence that counts now."""
    return None if candidate.get("void") else candidate.get("sha256")


def _evidence_now(move: Move, state: dict[str, Any]) -> str | None:
    """The evidence under the lease; one that the ledger is about to learn of counts as known."""
    return move.more["sha256"] if "validation" in move.more else _known_evidence(move, state)


def question(challenger_digest: str, champion: int | None, policy: str, holdout: str) -> str:
    """What a look at a holdout asks; the same question again is no new look."""
    text = json.dumps([challenger_digest, champion, policy, holdout])
    return hashlib.sha256(text.encode()).hexdigest()
