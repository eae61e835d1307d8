"""One move of one version, journaled: lease, intent, one transition call, tags, done.

Whatever is killed at whatever moment, the next command that changes this model finishes the move forward or
marks it aborted (:func:`recover`), because the intent stands in the ledger before the effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from mlflowctl.errors import ConflictError, MlflowctlError, NotFoundError, UnavailableError
from mlflowctl.plan import Action, Step
from mlflowctl.registry import leases, ledger_state
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.leases import Lease
from mlflowctl.registry.ledger import Chained, quoted
from mlflowctl.registry.port import BREAK_GLASS_TAG, HEAD_TAG, RETIRE_TAG, Stage, Version
from mlflowctl.registry.rest import UnknownOutcome

Tell = Callable[[str], None]
CLOSING = (ledger_state.DONE, ledger_state.ABORTED)
# What is written under a lease, or ends one: if it stands behind what a holder knows, its lease is over.
JOURNAL = (
    ledger_state.INTENT, *CLOSING, ledger_state.OBSERVED,
    ledger_state.FROZEN, ledger_state.UNFROZEN, ledger_state.LEASE_BROKEN,
)  # fmt: skip


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
        head = recover(desk, lease, desk.head(model, lease.head))
        lease.head = head.head
        yield lease, head


def settle(desk: Desk, model: str, *, wait: float) -> None:
    """Before a command plans: finish or abort what a dead command left open. Takes no lease if nothing is.

    Raises:
        LeaseHeldError: the other command is not dead, or its lease has not run out.
    """
    if desk.head(model).state["open"]:
        with locked(desk, model, "finish an unfinished move", wait=wait):
            pass


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
        _settled(desk, move, lease)
    except MlflowctlError as exc:
        _undo_preparation(desk, move)
        closed = journal(
            desk, lease, intent, ledger_state.ABORTED, reason, {"intent": intent.number, "why": exc.what}
        )
        leave(desk, lease, closed)
        raise
    try:
        _tags(desk, move)
        body = {**move.as_body(), "intent": intent.number}
        done = journal(desk, lease, intent, ledger_state.DONE, reason, body)
        leave(desk, lease, done)
    except UnavailableError as exc:
        exc.state = f"v{move.version} is in {move.stage}: the switch has happened, and is not recorded yet."
        exc.next = f"mlflowctl model reconcile {quoted(move.model)}"
        raise
    return done


def _switch(desk: Desk, move: Move, lease: Lease) -> None:
    """The one call. It is not sent unless it must have ended, at the server too, before the lease does."""
    limit = lease.ttl / 3
    if not leases.is_ours(desk.objects, lease):
        raise FencedError(
            "This command's lease was broken or taken over.",
            state="Nothing was changed by this command.",
            next=f"mlflowctl model history {quoted(move.model)}",
        )
    if lease.remaining < 2 * limit:  # asked last: nothing slow may come between this and the switch
        raise FencedError(
            f"This command took too long: its lease ends in {lease.remaining:.0f} s, too soon to switch.",
            state="Nothing was changed.",
            next="Repeat the command.",
        )
    # From here on nobody else may judge what this command has left, unless its outcome is known.
    lease.keep = True
    try:
        if move.verb == "retire":
            desk.registry.tag_model(move.model, RETIRE_TAG, "true")
        desk.registry.move(
            move.model, move.version, move.stage, replace=move.challenger is not None, timeout=limit
        )
    except UnknownOutcome:
        raise
    except MlflowctlError:
        lease.keep = False
        raise
    lease.keep = False


def _undo_preparation(desk: Desk, move: Move) -> None:
    if move.verb == "retire":
        desk.registry.untag_model(move.model, RETIRE_TAG)


def _settled(desk: Desk, move: Move, lease: Lease) -> None:
    """After a lost answer: the switch has happened. Raises if it has not, or if that cannot be told.

    Not yet is not never: the server may still be at it. So the lease is kept until it runs out.
    """
    with suppress(UnavailableError):
        if reached(desk, move):
            lease.keep = False
            return
    left = max(0.0, lease.remaining) + leases.SLACK
    raise UnknownOutcome(
        f"The MLflow server did not answer the switch of model {move.model!r} to v{move.version}.",
        state="It may or may not happen. The ledger holds the intent, so nothing is lost; the lease keeps "
        f"others away for {left:.0f} s, until it is certain.",
        next=f"mlflowctl model reconcile {quoted(move.model)} --lease-wait {left + 5:.0f}",
    ) from None


def reached(desk: Desk, move: Move) -> bool:
    """Whether the registry shows what the move was to bring about."""
    if move.stage == "Production":
        champion = desk.registry.champion(move.model)
        return champion is not None and champion.version == move.version
    try:
        return desk.registry.version(move.model, move.version).stage == move.stage
    except NotFoundError:  # deleted meanwhile
        return False


def _tags(desk: Desk, move: Move) -> None:
    for version, key, value in move.tags:
        with suppress(NotFoundError):  # deleted meanwhile; the ledger knows what it was
            desk.registry.tag(move.model, version, key, value)


def forget_glass(desk: Desk, champion: Version | None) -> None:
    """Before a champion leaves: its tag of a rollback by break glass must not be believed later on."""
    if champion is not None and BREAK_GLASS_TAG in champion.tags:
        desk.registry.untag(champion.model, champion.version, BREAK_GLASS_TAG)


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
