"""States and legal moves: the one table, in code. docs/promotion.md shows it, and a test compares the two."""

from __future__ import annotations

from dataclasses import dataclass

from mlflowctl.errors import IllegalMoveError
from mlflowctl.registry.ledger import quoted
from mlflowctl.registry.port import Stage, Version


@dataclass(frozen=True)
class LegalMove:
    """One move of the lifecycle.

    Attributes:
        verb: the command.
        sources: stages it may start from.
        target: the stage it leads to.
        needs: what else must hold, for people.
    """

    verb: str
    sources: tuple[Stage, ...]
    target: Stage
    needs: str


MOVES: dict[str, LegalMove] = {
    move.verb: move
    for move in (
        LegalMove("stage", ("None", "Archived"), "Staging", "no other challenger, or --replace names it"),
        LegalMove(
            "promote",
            ("Staging",),
            "Production",
            "passed validation against the present champion, not frozen",
        ),
        LegalMove("archive", ("None", "Staging"), "Archived", ""),
        LegalMove(
            "rollback",
            ("Archived",),
            "Production",
            "was champion, and was never rolled back from; also if somebody moved it elsewhere",
        ),
        LegalMove("retire", ("Production",), "Archived", "the model's name typed with --confirm"),
    )
}
# What a person in that stage may do next; shown when a move is refused.
STATE_NAMES = {
    "None": "registered",
    "Staging": "the challenger (Staging)",
    "Production": "the champion (Production)",
    "Archived": "archived",
}


def legal_from(stage: Stage) -> list[str]:
    """The verbs that may start from a stage."""
    return [verb for verb, move in MOVES.items() if stage in move.sources]


def require(verb: str, version: Version) -> LegalMove:
    """The move, if the version may make it.

    Raises:
        IllegalMoveError: it may not; the legal moves are named.
    """
    move = MOVES[verb]
    if version.stage in move.sources:
        return move
    legal = legal_from(version.stage)
    commands = ", ".join(f"mlflowctl model {one} {quoted(version.model)}" for one in legal)
    raise IllegalMoveError(
        f"Version {version.version} of model {version.model!r} is {STATE_NAMES[version.stage]}; "
        f"{verb} starts from {' or '.join(STATE_NAMES[one] for one in move.sources)}.",
        state="Nothing was changed.",
        next=f"Legal from there: {commands}",
    )
