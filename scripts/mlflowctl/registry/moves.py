"""One move of one version, journaled: lease, intent, one transition call, tags, done.

Whatever is killed at whatever moment, the next command that changes this model finishes the move forward or
marks it aborted (:func:`recover`), because the intent stands in the ledger before the effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlflowctl.errors import ConflictError, MlflowctlError, UnavailableError
from mlflowctl.plan import Action, Step
from mlflowctl.registry import leases, ledger_state
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.leases import Lease
from mlflowctl.registry.ledger import Chained, quoted
from mlflowctl.registry.port import HEAD_TAG, RETIRE_TAG, Stage
from mlflowctl.registry.rest import UnknownOutcome

Tell = Callable[[str], None]
CLOSING = (ledger_state.DONE, ledger_state.ABORTED)
JOURNAL = (ledger_state.INTENT, *CLOSING, ledger_state.OBSERVED)


@dataclass(frozen=True)
class Move:
    """What is about to happen to one version; the same object is planned, printed, recorded and executed.

    Attributes:
        verb: of ``lifecycle.MOVES``.
        model: name of the registered model.
        version: that moves.
        stage: where to.
        champion: the champion that the decision rests on; None: there is none.
        challenger: the challenger that the decision rests on.
        tags: (version, key, value) to set when it has happened.
        more: further facts for the ledger: evidence, policy, override.
    """

    verb: str
    model: str
    version: int
    stage: Stage
    champion: int | None
    challenger: int | None
    tags: tuple[tuple[int, str, str], ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def as_body(self) -> dict[str, Any]:
        """As the ledger records it."""
        return {
            "move": self.verb,
            "version": self.version,
            "stage": self.stage,
            "champion": self.champion,
            "challenger": self.challenger,
            "tags": [list(tag) for tag in self.tags],
            **self.more,
        }

    @classmethod
    def from_body(cls, model: str, body: dict[str, Any]) -> Move:
        """The other way round; fields that the ledger added stay in ``more``."""
        own = ("move", "version", "stage", "champion", "challenger", "tags")
        return cls(
            verb=body["move"],
            model=model,
            version=body["version"],
            stage=body["stage"],
            champion=body["champion"],
            challenger=body["challenger"],
            tags=tuple((int(version), str(key), str(value)) for version, key, value in body["tags"]),
            more={name: value for name, value in body.items() if name not in own},
        )

    def steps(self) -> list[Step]:
        """What will be different afterwards."""
        found = [Step(Action.CHANGE, f"version {self.version}", f"to {self.stage}")]
        if self.stage == "Production":
            if self.champion is not None:
                found.append(
                    Step(Action.CHANGE, f"version {self.champion}", "Production to Archived, same instant")
                )
            before = f"v{self.champion}" if self.champion is not None else "none"
            found.append(Step(Action.CHANGE, "alias champion", f"{before} to v{self.version}"))
        if self.stage == "Staging" and self.challenger is not None:
            found.append(
                Step(Action.CHANGE, f"version {self.challenger}", "Staging to Archived, same instant")
            )
        found += [
            Step(Action.CHANGE, f"version {version}", f"{key} = {value}") for version, key, value in self.tags
        ]
        return found


class FencedError(ConflictError):
    """This command's lease ended and another one went on."""

    code = "fenced"


@contextmanager
def locked(desk: Desk, model: str, message: str, *, wait: float) -> Iterator[tuple[Lease, Chained]]:
    """Hold the model's lease; the ledger's head is read, and whatever a dead command left is finished.

    Raises:
        LeaseHeldError: another command holds it.
        BrokenLedgerError: the ledger's end is not where it was.
    """
    with leases.held(desk.objects, model, desk.actor, message, wait=wait) as lease:
        head = recover(desk, lease, desk.ledger(model).head(lease.head))
        lease.head = head.head
        yield lease, head


def execute(desk: Desk, move: Move, reason: str, lease: Lease, head: Chained) -> Chained:
    """Carry out a move under the lease; the caller has checked that it is still right.

    Returns:
        The ledger's head after it.

    Raises:
        FencedError: the lease ended before the intent stood; nothing was changed.
        GuardRefusal: the database refused the switch; nothing was changed, and the ledger says so.
        UnknownOutcome: nobody knows yet whether the switch happened; the next command finds out.
    """
    intent = journal(desk, lease, head, ledger_state.INTENT, reason, move.as_body())
    try:
        _switch(desk, move, lease)
    except UnknownOutcome:
        if not _settled(desk, move):
            raise
    except MlflowctlError as exc:
        _undo_preparation(desk, move)
        closed = journal(
            desk, lease, intent, ledger_state.ABORTED, reason, {"intent": intent.number, "why": exc.what}
        )
        leave(desk, lease, closed)
        raise
    _tags(desk, move)
    done = journal(
        desk, lease, intent, ledger_state.DONE, reason, {**move.as_body(), "intent": intent.number}
    )
    leave(desk, lease, done)
    return done


def _switch(desk: Desk, move: Move, lease: Lease) -> None:
    """The one call. It is not sent unless it must have ended, at the server too, before the lease does."""
    limit = lease.ttl / 3
    if lease.remaining < 2 * limit:
        raise FencedError(
            f"This command took too long: its lease ends in {lease.remaining:.0f} s, too soon to switch.",
            state="Nothing was changed.",
            next="Repeat the command.",
        )
    if move.verb == "retire":
        desk.registry.tag_model(move.model, RETIRE_TAG, "true")
    desk.registry.move(
        move.model, move.version, move.stage, replace=move.challenger is not None, timeout=limit
    )


def _undo_preparation(desk: Desk, move: Move) -> None:
    if move.verb == "retire":
        desk.registry.untag_model(move.model, RETIRE_TAG)


def _settled(desk: Desk, move: Move) -> bool:
    """After a lost answer: whether the switch happened. Raises if that cannot be told either."""
    try:
        return reached(desk, move)
    except UnavailableError:
        raise UnknownOutcome(
            f"The MLflow server answered neither the switch of model {move.model!r} nor the look after it.",
            state="The switch may or may not have happened; the ledger holds the intent, so nothing is lost.",
            next=f"When the server answers again: mlflowctl model reconcile {quoted(move.model)}",
        ) from None


def reached(desk: Desk, move: Move) -> bool:
    """Whether the registry shows what the move was to bring about."""
    if move.stage == "Production":
        champion = desk.registry.champion(move.model)
        return champion is not None and champion.version == move.version
    return desk.registry.version(move.model, move.version).stage == move.stage


def _tags(desk: Desk, move: Move) -> None:
    for version, key, value in move.tags:
        desk.registry.tag(move.model, version, key, value)


def leave(desk: Desk, lease: Lease, head: Chained) -> None:
    """Leave the head with both witnesses: the lease and the registered model's tag."""
    lease.head = head.head
    desk.registry.tag_model(lease.model, HEAD_TAG, f"{head.number} {head.hash}")


def journal(desk: Desk, lease: Lease, head: Chained, kind: str, reason: str, body: dict[str, Any]) -> Chained:
    """Append as the holder of the lease: entries that need no lease may come between, a switch may not.

    Raises:
        FencedError: another command, holding a later lease, wrote its own switch.
    """
    ledger = desk.ledger(lease.model)
    while True:
        written = ledger.append_exactly(head, kind, desk.actor, reason, body)
        if written is not None:
            lease.head = written.head
            return written
        for found in ledger.entries(head.number + 1):
            assert found.entry is not None
            if found.entry.kind in JOURNAL:
                raise FencedError(
                    f"Another command ({found.entry.actor.get('name')}) went on with model {ledger.model!r} "
                    "after this one's lease had ended.",
                    state="The ledger holds what it did.",
                    next=f"mlflowctl model history {quoted(ledger.model)}",
                )
            head = found


def recover(desk: Desk, lease: Lease, head: Chained) -> Chained:
    """Finish what a dead command left open: forward if the switch has happened, else marked aborted."""
    left = head.state["open"]
    if left is None:
        return head
    facts = {name: value for name, value in left.items() if name not in ("number", "at", "actor")}
    move = Move.from_body(lease.model, facts)
    if reached(desk, move):
        _tags(desk, move)
        body = {**move.as_body(), "intent": left["number"], "recovered": True}
        kind, reason = ledger_state.DONE, "finished for a command that had died after the switch"
    else:
        _undo_preparation(desk, move)
        body = {"intent": left["number"], "why": "the command died before the switch", "recovered": True}
        kind, reason = ledger_state.ABORTED, "the command that began it had died before the switch"
    closed = journal(desk, lease, head, kind, reason, body)
    leave(desk, lease, closed)
    return closed
