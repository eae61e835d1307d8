"""The one error hierarchy: every error says what happened, what state things are in, and the next command.

Errors are raised in the library and printed in one place (``mlflowctl.cli.app``), so their text is
the text that an on-call engineer reads. Exit codes are the same for every command.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class MlflowctlError(Exception):
    """Base of every expected failure.

    Args:
        what: one sentence that says what happened.
        state: what state things are in now ("nothing was changed").
        next: the next command or action.
    """

    code = "error"
    exit_code = 1

    def __init__(self, what: str, *, state: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.state = state
        self.next = next
        # What the command found out before it failed; the ``result`` of the JSON envelope.
        self.result: Any = None

    def as_dict(self) -> dict[str, str]:
        """The ``error`` object of the JSON envelope."""
        return {"code": self.code, "message": self.what, "state": self.state, "next": self.next}


class UnavailableError(MlflowctlError):
    """Something that must answer does not: an endpoint, a database, a server, a process."""

    code = "unavailable"


class AccessError(MlflowctlError):
    """Something answered, and refused: wrong credentials, missing permission, foreign owner."""

    code = "access"


class UsageError(MlflowctlError):
    """The command cannot be meant like that: wrong flag, illegal move, ambiguous target, taken port."""

    code = "usage"
    exit_code = 2


class ConflictError(MlflowctlError):
    """The state moved on, or somebody else holds what this command needs."""

    code = "conflict"
    exit_code = 5


class FindingsError(MlflowctlError):
    """Checks, doctor or a dry run found something."""

    code = "findings"
    exit_code = 6


class InterruptedByUser(MlflowctlError):
    """Ctrl-C."""

    code = "interrupted"
    exit_code = 130


class NotFoundError(UsageError):
    """What was named does not exist."""

    code = "not_found"


class IllegalMoveError(UsageError):
    """The lifecycle does not allow this move from where things are."""

    code = "illegal_move"


class GateFailedError(MlflowctlError):
    """The evidence says no."""

    code = "gate_failed"
    exit_code = 3


class InconclusiveError(MlflowctlError):
    """The evidence says neither yes nor no."""

    code = "inconclusive"
    exit_code = 4


def raised(error: dict[str, str]) -> MlflowctlError:
    """The error of an envelope that another mlflowctl printed, as the class that it had there.

    Args:
        error: as :meth:`MlflowctlError.as_dict` makes it.
    """
    kind = next((one for one in _classes(MlflowctlError) if one.code == error["code"]), MlflowctlError)
    made = kind.__new__(kind)
    MlflowctlError.__init__(made, error["message"], state=error["state"], next=error["next"])
    return made


def _classes(kind: type[MlflowctlError]) -> Iterator[type[MlflowctlError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _classes(below)
