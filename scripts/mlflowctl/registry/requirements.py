"""What must hold before a version is promoted; each refusal says which command would mend it."""

from __future__ import annotations

from typing import Any

from mlflowctl.errors import ConflictError, GateFailedError, IllegalMoveError, InconclusiveError
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import quoted
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.port import Version
from mlflowctl.registry.registration import tampered
from mlflowctl.registry.verdict import Verdict


class UnfinishedError(ConflictError):
    """Somebody's move has begun and has not ended."""


def refuse_unfinished(model: str, state: dict[str, Any]) -> None:
    """Refuse to plan on a move that somebody has begun: what serves may change at any moment."""
    left = state["open"]
    if left:
        raise UnfinishedError(
            f"{left['actor']['name']} began to {left['move']} v{left['version']} of model {model!r} at "
            f"{left['at']}, and that is not finished.",
            state="Nothing was changed by this command.",
            next=f"If that command is dead: mlflowctl model reconcile {quoted(model)}",
        )


def refuse_drift(model: str, state: dict[str, Any], champion: Version | None) -> None:
    """Refuse to build on a champion that the ledger does not know."""
    now = champion.version if champion else None
    if state["champion"] == now:
        return
    raise ConflictError(
        f"The registry was changed behind the ledger of model {model!r}: the champion is {named(now)}, "
        f"the ledger says {named(state['champion'])}.",
        state="Nothing was changed.",
        next=f"mlflowctl model reconcile {quoted(model)}",
    )


def named(version: int | None) -> str:
    """A version as people say it."""
    return "none" if version is None else f"v{version}"


def refuse_frozen(model: str, state: dict[str, Any]) -> None:
    """Refuse while promotions of the model are frozen."""
    frozen = state["frozen"]
    if frozen:
        raise IllegalMoveError(
            f"Promotions of model {model!r} are frozen since {frozen['at']} by {frozen['actor']['name']}: "
            f"{frozen['reason']}",
            state="Nothing was changed.",
            next=f"mlflowctl model unfreeze {quoted(model)} --reason '…'",
        )


def refuse_unproven(
    model: str, challenger: Version, champion: Version | None, candidate: dict[str, Any], policy: Policy
) -> None:
    """The evidence must be there, be about this very comparison, and say pass; then the approvals."""
    validate = f"mlflowctl model validate {quoted(model)} {challenger.version}"
    if "verdict" not in candidate or candidate.get("void"):
        since = " since it was rolled back from or staged anew" if candidate.get("void") else ""
        raise IllegalMoveError(
            f"Version {challenger.version} of model {model!r} was not validated{since}.",
            state="Nothing was changed.",
            next=validate,
        )
    now = champion.version if champion else None
    if candidate["champion"] != now:
        raise ConflictError(
            f"Version {challenger.version} was validated against champion {named(candidate['champion'])}; "
            f"the champion is {named(now)}.",
            state="Nothing was changed.",
            next=validate,
        )
    if candidate["policy"] != policy.digest:
        raise ConflictError(
            f"Version {challenger.version} was validated under another policy than this file holds.",
            state="Nothing was changed.",
            next=validate,
        )
    explain = f"mlflowctl model explain {quoted(model)}"
    if candidate["verdict"] == Verdict.FAIL:
        raise GateFailedError(
            f"Version {challenger.version} of model {model!r} failed its validation.",
            state="Nothing was changed.",
            next=explain,
        )
    if candidate["verdict"] == Verdict.INCONCLUSIVE:
        raise InconclusiveError(
            f"The validation of version {challenger.version} of model {model!r} is inconclusive.",
            state="Nothing was changed.",
            next=explain,
        )
    _approved(model, challenger.version, candidate, policy)


def refuse_harmful(model: str, challenger: Version, champion: Version | None, state: dict[str, Any]) -> None:
    """Refuse what real requests showed to be worse than this very champion, whatever the holdout said."""
    live = state["live"]
    now = champion.version if champion else None
    if (
        not live
        or live["event"] != "aborted"
        or (live["champion"], live["challenger"]) != (now, challenger.version)
    ):
        return
    raise GateFailedError(
        f"Version {challenger.version} of model {model!r} was taken out of its live test: {live['reason']}",
        state="Nothing was changed.",
        next=f"mlflowctl live status {quoted(model)}   (anew: mlflowctl live run {quoted(model)} --again)",
    )


def _approved(model: str, version: int, candidate: dict[str, Any], policy: Policy) -> None:
    proposer = (candidate.get("proposer") or candidate["validator"])["name"]
    names = [one["name"] for one in candidate["approvals"] if one["name"] != proposer]
    if len(names) < policy.approvals:
        raise IllegalMoveError(
            f"Version {version} of model {model!r} has {len(names)} of {policy.approvals} approvals; the "
            f"proposer ({proposer}) does not count.",
            state="Nothing was changed.",
            next=f"Somebody else: mlflowctl model approve {quoted(model)} {version} --reason '…'",
        )


def refuse_tampered(desk: Desk, version: Version, digest: str | None) -> None:
    changed = tampered(desk, version, digest)
    if changed:
        raise GateFailedError(
            f"The artifacts of version {version.version} of model {version.model!r} are not what was "
            f"registered: {'; '.join(changed[:5])}.",
            state="Nothing was changed.",
            next="Find out who changed them (the bucket keeps older versions), and register the model again.",
        )
