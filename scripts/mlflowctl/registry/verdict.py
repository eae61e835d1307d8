"""Three-valued verdicts, and what gates and checks report: plain data that evidence is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal


class Verdict(StrEnum):
    """Pass, fail, or not enough evidence for either."""

    PASS = "pass"  # noqa: S105 (a verdict)
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """All must pass: one failure fails, else one inconclusive is inconclusive. Nothing at all passes."""
    found = set(verdicts)
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in found:
            return verdict
    return Verdict.PASS


@dataclass(frozen=True)
class Interval:
    """A difference challenger - champion in the metric's own unit and sign, with one-sided bounds.

    Attributes:
        estimate: the difference.
        low: lower one-sided bound at ``alpha``.
        high: upper one-sided bound at ``alpha``.
        alpha: error of each bound by itself.
        method: how it was made, in words ("DeLong", "paired Student t").
        rows: how many rows or outcomes it rests on.
    """

    estimate: float
    low: float
    high: float
    alpha: float
    method: str
    rows: int


@dataclass(frozen=True)
class GateResult:
    """One metric, judged.

    Attributes:
        name: of the metric.
        kind: ``holdout``, ``outcomes`` or ``run``.
        role: primary, guardrail or threshold.
        rule: superior or non-inferior; "" if it is only held against a threshold.
        direction: higher or lower.
        verdict: of this metric.
        reason: one sentence that says why.
        more: what would decide, if inconclusive ("about 1,900 more rows"); "" otherwise.
        challenger: value of the challenger; None if it could not be computed.
        champion: value of the champion; None if there is none.
        threshold: the absolute one, None for none.
        margin: in the metric's own unit.
        interval: of the difference; None without a champion.
    """

    name: str
    kind: Literal["holdout", "outcomes", "run"]
    role: str
    rule: str
    direction: str
    verdict: Verdict
    reason: str
    more: str = ""
    challenger: float | None = None
    champion: float | None = None
    threshold: float | None = None
    margin: float = 0.0
    interval: Interval | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class CheckResult:
    """One check of the final round.

    Attributes:
        name: for programs ("digests", "loads", "signature", …; a user check carries its dotted path).
        title: for people.
        verdict: of this check.
        detail: what was seen.
        next: what mends it; "" unless it failed.
        seconds: how long it took.
    """

    name: str
    title: str
    verdict: Verdict
    detail: str
    next: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
