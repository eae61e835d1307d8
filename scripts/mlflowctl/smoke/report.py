"""What a smoke test found: one outcome per step, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mlflowctl.errors import MlflowctlError

Verdict = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Outcome:
    """How one step went.

    Attributes:
        name: of the step, for programs.
        title: of the step, for people.
        verdict: ``ok``, ``failed`` or ``skipped``.
        seconds: how long it took.
        detail: what was proved, or why the step failed or was skipped.
        error: code, message, state and next command of a failed step.
    """

    name: str
    title: str
    verdict: Verdict
    seconds: float
    detail: str
    error: dict[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 3),
            "detail": self.detail,
            "error": self.error,
        }


def failed(name: str, title: str, seconds: float, error: MlflowctlError) -> Outcome:
    """The outcome of a step that ended with an error."""
    return Outcome(name, title, "failed", seconds, error.what, error.as_dict())


@dataclass
class Report:
    """A whole smoke test.

    Attributes:
        target: what was tested, in words.
        token: unique name of this run; everything it made carries it.
        outcomes: one per step, in order.
        seconds: from start to end, importing MLflow included.
        remains: what is still there on purpose or by MLflow's nature, in words.
        kept: names of what ``--keep`` kept.
        interrupted: whether somebody ended it early.
    """

    target: str
    token: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    remains: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def failures(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict == "failed"]

    def count(self, verdict: Verdict) -> int:
        return sum(outcome.verdict == verdict for outcome in self.outcomes)

    def summary(self) -> str:
        """One line: "18 ok, 0 failed, 1 skipped in 12.3 s"."""
        counts = f"{self.count('ok')} ok, {self.count('failed')} failed, {self.count('skipped')} skipped"
        return f"{counts} in {self.seconds:.1f} s"

    def as_dict(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "token": self.token,
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "steps": [outcome.as_dict() for outcome in self.outcomes],
            "remains": self.remains,
            "kept": self.kept,
        }
