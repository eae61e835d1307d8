"""Back to the last good champion: no version to name, nothing brought back that was rolled back from."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from mlflowctl.errors import (
    ConflictError,
    GateFailedError,
    IllegalMoveError,
    NotFoundError,
    UnavailableError,
)
from mlflowctl.registry import ledger_state, moves
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Chained, quoted
from mlflowctl.registry.moves import Move
from mlflowctl.registry.port import BREAK_GLASS_TAG, VALIDATION_STATUS, Version
from mlflowctl.registry.registration import tampered
from mlflowctl.registry.requirements import UnfinishedError, named, refuse_unfinished


@dataclass(frozen=True)
class NothingToDo:
    """The model was rolled back already.

    Attributes:
        champion: serves now.
        why: in words.
    """

    champion: int
    why: str


def plan(desk: Desk, model: str, expect: int | None) -> Move | NothingToDo:
    """The rollback that is due; reads only.

    Args:
        desk: where to look.
        model: name of the registered model.
        expect: the champion that the caller wants to leave (``--expect-champion``).

    Raises:
        IllegalMoveError: there is no champion, or no good one before it.
        ConflictError: another version than the expected one is champion.
    """
    champion = desk.registry.champion(model)
    if champion is None:
        raise nowhere(model, "it has no champion")
    with naming_break_glass(model):
        state = desk.head(model).state
    refuse_unfinished(model, state)
    state = _as_recorded(state, champion)
    done = _already(state, champion.version, expect)
    if done:
        return done
    if expect is not None and champion.version != expect:
        raise ConflictError(
            f"The champion of model {model!r} is v{champion.version}, not v{expect}.",
            state="Nothing was changed.",
            next=f"mlflowctl model status {quoted(model)}",
        )
    target = _target(desk, model, state, champion.version)
    if target is None:
        raise nowhere(model, f"the ledger knows no good champion before v{champion.version}")
    digest = next((one.get("digest") for one in state["reigns"] if one["version"] == target.version), None)
    return move_to(model, target.version, champion.version, digest)


def plan_settled(desk: Desk, model: str, expect: int | None, *, wait: float) -> Move | NothingToDo:
    """Like :func:`plan`, once nobody's move is open; one that begins between the two looks is waited for too.

    Args:
        desk, model, expect: as for :func:`plan`.
        wait: seconds to wait for others.

    Raises:
        ConflictError: others were still at it when the time was over; and what :func:`plan` raises.
    """
    until = time.monotonic() + wait
    while True:
        settle(desk, model, wait=wait)
        try:
            return plan(desk, model, expect)
        except UnfinishedError:
            if time.monotonic() > until:
                raise


def _target(desk: Desk, model: str, state: dict[str, Any], champion: int) -> Version | None:
    """The last good champion that is still there: what others have deleted cannot be gone back to."""
    for number in ledger_state.good(state, champion):
        with suppress(NotFoundError):
            return desk.registry.version(model, number)
    return None


@contextmanager
def naming_break_glass(model: str) -> Iterator[None]:
    """If the object store does not answer in this block, the error's next step is the way without it."""
    try:
        yield
    except UnavailableError as exc:
        if "reconcile" not in exc.next:
            way = f"mlflowctl model rollback {quoted(model)} --break-glass --reason '…'"
            exc.next = f"If the object store is down, roll back without it: {way}"
        raise


def settle(desk: Desk, model: str, *, wait: float) -> None:
    """See :func:`moves.settle`."""
    with naming_break_glass(model):
        moves.settle(desk, model, wait=wait)


def _seen(champion: Version, state: dict[str, Any]) -> dict[str, Any]:
    """What an entry says of a champion that the ledger does not know; it may be there by break glass."""
    body = {"champion": champion.version, "challenger": state["challenger"], "by": "rollback"}
    glass = broken_glass(champion)
    if glass and glass["from"] == state["champion"]:
        body |= {"failed": glass["from"], "by": "break-glass", "glass": glass}
    return body


def _as_recorded(state: dict[str, Any], champion: Version) -> dict[str, Any]:
    """The state as it will be once the ledger knows of a rollback by break glass; else as it is."""
    body = _seen(champion, state)
    if "failed" not in body:
        return state
    glass = body["glass"]
    return ledger_state.fold(state, ledger_state.OBSERVED, 0, glass["at"], glass["actor"], body)


def _already(state: dict[str, Any], champion: int, expect: int | None) -> NothingToDo | None:
    """A second call, or a second engineer: the model was rolled back and nobody promoted since."""
    last = state["rolled_back"]
    if not last or last["to"] != champion or expect == champion:
        return None
    if expect not in (None, last["from"]):
        return None
    return NothingToDo(
        champion,
        f"v{champion} is champion since {last['actor']['name']} rolled back from v{last['from']} "
        f"at {last['at']}. "
        f"To go further back: --expect-champion {champion}",
    )


def move_to(model: str, target: int, champion: int, digest: str | None = None) -> Move:
    """The move from version ``champion`` back to ``target``; ``digest`` is what was registered of it."""
    return Move(
        verb="rollback",
        model=model,
        version=target,
        stage="Production",
        champion=champion,
        challenger=None,
        tags=((champion, VALIDATION_STATUS, "failed"), (target, VALIDATION_STATUS, "passed")),
        more={"digest": digest},
    )


def nowhere(model: str, why: str) -> IllegalMoveError:
    """The refusal where there is no version to go back to."""
    return IllegalMoveError(
        f"There is nothing to roll model {model!r} back to: {why}.",
        state="Nothing was changed.",
        next=f"mlflowctl model history {quoted(model)}; or stage, validate and promote another version",
    )


def check_target(desk: Desk, move: Move, *, load: bool, accept_unloadable: bool) -> list[str]:
    """Before the lease: the target's artifacts are what was registered, and it loads.

    Args:
        desk: where to look.
        move: the rollback.
        load: load the model in a clean process.
        accept_unloadable: go on although it does not load.

    Returns:
        What was seen, a line each.

    Raises:
        GateFailedError: artifacts were changed, or it does not load.
    """
    version = desk.registry.version(move.model, move.version)
    changed = tampered(desk, version, move.more.get("digest"))
    if changed and not accept_unloadable:
        raise _unfit(move, f"its artifacts are not what was registered: {'; '.join(changed[:5])}")
    said = [f"artifacts of v{move.version}: {'; '.join(changed[:5])}" if changed else
            f"artifacts of v{move.version} are what was registered"]  # fmt: skip
    if load:
        problem = _load_problem(desk, version)
        if problem and not accept_unloadable:
            raise _unfit(move, f"it does not load: {problem}")
        said.append(f"v{move.version} does not load: {problem}" if problem else f"v{move.version} loads")
    return said


def _unfit(move: Move, why: str) -> GateFailedError:
    return GateFailedError(
        f"Version {move.version} of model {move.model!r} cannot take over: {why}.",
        state=f"Nothing was changed; v{move.champion} serves.",
        next="If it must: --accept-unloadable --reason '…'",
    )


def _load_problem(desk: Desk, version: Version) -> str:
    """Why the model does not load; "" if it does."""
    import tempfile
    from pathlib import Path

    from mlflowctl.registry.artifacts import fetch
    from mlflowctl.registry.policy import Checks
    from mlflowctl.registry.sandbox import run_trial

    with tempfile.TemporaryDirectory(prefix="mlflowctl-") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "model"
        fetch(desk.artifacts, desk.registry.artifact_uri(version.model, version.version), place)
        trial = run_trial(place, None, Checks())
    return "" if trial.ok else trial.error


def execute(desk: Desk, move: Move, reason: str, *, wait: float) -> Chained | NothingToDo:
    """Roll back under the lease. Another rollback from the same champion meanwhile is as good.

    Raises:
        ConflictError: the champion changed meanwhile, otherwise than by a rollback from it.
    """
    with (
        naming_break_glass(move.model),
        moves.locked(desk, move.model, f"roll back to v{move.version}", wait=wait) as (lease, head),
    ):
        champion = desk.registry.champion(move.model)
        serving = champion.version if champion else None
        state = _as_recorded(head.state, champion) if champion else head.state
        if serving is not None and (done := _already(state, serving, move.champion)):
            return done
        if champion is None or champion.version != move.champion:
            raise ConflictError(
                f"The champion of model {move.model!r} is {named(serving)} by now, not v{move.champion}.",
                state="Nothing was changed by this command.",
                next=f"mlflowctl model status {quoted(move.model)}",
            )
        if head.state["champion"] != serving:
            # Changed behind the ledger. At three in the morning that is no reason to refuse; it is recorded.
            body = _seen(champion, head.state)
            head = moves.journal(desk, lease, head, ledger_state.OBSERVED, reason, body)
        target = _target(desk, move.model, head.state, champion.version)
        if target is None or target.version != move.version:
            raise ConflictError(
                f"v{move.version} is not the last good champion of model {move.model!r} any more.",
                state="Nothing was changed by this command.",
                next=f"mlflowctl model rollback {quoted(move.model)}",
            )
        moves.forget_glass(desk, champion)
        return moves.execute(desk, move, reason, lease, head)


def broken_glass(version: Version) -> dict[str, Any] | None:
    """What a rollback without the object store left on the version, if it did."""
    try:
        facts = json.loads(version.tags.get(BREAK_GLASS_TAG, "null"))
    except ValueError:
        return None
    return facts if isinstance(facts, dict) and {"from", "to", "actor", "at"} <= set(facts) else None
