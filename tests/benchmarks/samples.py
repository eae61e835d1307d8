"""What was measured: samples by measure and subject, and ratios within one round."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

OURS, DEFAULTS, ONE_WORKER = "ours", "defaults", "one worker"


class Samples:
    """Every figure of a run. Ratios are taken within a round, so that a slow minute hits both sides."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.notes: list[str] = []

    def add(self, measure: str, subject: str, value: float) -> None:
        self._values[measure, subject].append(value)

    def has(self, measure: str, subject: str) -> bool:
        return (measure, subject) in self._values

    def value(self, measure: str, subject: str) -> float:
        """The median over the rounds."""
        return median(self._values[measure, subject])

    def total(self, measure: str, subject: str) -> float:
        return sum(self._values[measure, subject])

    def ratio(self, measure: str, subject: str, reference: str) -> float:
        """``subject`` / ``reference``: the median of the rounds' ratios."""
        pairs = zip(self._values[measure, subject], self._values[measure, reference], strict=False)
        return median(one / (other or float("nan")) for one, other in pairs)

    def rounds(self, measure: str, subject: str) -> int:
        return len(self._values[measure, subject])
