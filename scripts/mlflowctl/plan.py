"""Plans: what a command is about to do, as plain comparable steps, built by reading only.

A capability package offers ``plan(...) -> list[Step]`` (reads only) and ``apply(step, ...)`` (does
one). A command prints the plan or executes it; nothing else in the code knows about dry runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a step does to its target."""

    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"
    UNCHANGED = "unchanged"
    UNSUPPORTED = "not supported here"
    ATTENTION = "needs attention"  # found, but a person has to decide; never applied unattended


@dataclass(frozen=True)
class Step:
    """One step of a plan; capabilities subclass it to carry what ``apply`` needs.

    Attributes:
        action: what happens to the target.
        target: what it happens to, as a person names it ("bucket mlflow-artifacts: versioning").
        detail: from what to what, or why not.
    """

    action: Action
    target: str
    detail: str = ""

    @property
    def effective(self) -> bool:
        """True if executing this step changes something."""
        return self.action in (Action.CREATE, Action.CHANGE, Action.REMOVE)

    def as_dict(self) -> dict[str, str]:
        return {"action": str(self.action), "target": self.target, "detail": self.detail}


def pending(steps: Iterable[Step]) -> list[Step]:
    """The steps that change something."""
    return [step for step in steps if step.effective]
