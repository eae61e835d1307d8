"""One check: what it is, and how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mlflowctl.settings import Context

Verdict = Literal["ok", "failed", "skipped"]


class Skip(Exception):
    """The check cannot be made here; the text says why."""


class Finding(Exception):
    """The check found something.

    Args:
        what: what is wrong.
        next: the command that mends it.
    """

    def __init__(self, what: str, next: str) -> None:
        super().__init__(what)
        self.what = what
        self.next = next


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: for programs and for ``needs``.
        title: for people.
        run: makes the check; returns what is well. Raises :class:`Finding`, :class:`Skip` or a typed error.
        needs: checks without which this one makes no sense.
    """

    name: str
    title: str
    run: Callable[[Context], str]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """How a check went.

    Attributes:
        name: of the check, for programs.
        title: of the check, for people.
        verdict: ``ok``, ``failed`` or ``skipped``.
        what: what is well, what is wrong, or why it was skipped.
        next: the command that mends it; "" unless it failed.
    """

    name: str
    title: str
    verdict: Verdict
    what: str
    next: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
