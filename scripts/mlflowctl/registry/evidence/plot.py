"""Where things stand in an interval plot, in percent of its width; the template draws them.

Percentages instead of a view box: lines stretch with the page while the text keeps its size, so the plot can
be read on a telephone and on paper alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlflowctl.registry.evidence.figures import decimals, signed
from mlflowctl.registry.evidence.words import difference
from mlflowctl.registry.verdict import GateResult

# What is drawn stays between these, so that labels left and right of the bar have room.
LEFT, RIGHT = 20.0, 80.0


@dataclass(frozen=True)
class Mark:
    """A place on the axis.

    Attributes:
        at: percent of the width.
        label: the number, "" for none.
    """

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """One interval; right is better.

    Attributes:
        zero: no difference.
        limit: what the bar must clear; None if nothing is asked.
        low, high: the one-sided bounds; at the edge and without a label where there is none.
        estimate: the difference.
    """

    zero: Mark
    limit: Mark | None
    low: Mark
    high: Mark
    estimate: Mark


def plot(gate: GateResult) -> Plot | None:
    """The plot of a gate; None if it has no interval."""
    found = difference(gate)
    if found is None:
        return None
    places = decimals(gate)
    values = [0.0, found.estimate, found.low, found.high, *([] if found.limit is None else [found.limit])]
    scale = _Scale([one for one in values if math.isfinite(one)])

    def mark(value: float, digits: int | None = places) -> Mark:
        return Mark(round(scale(value), 2), signed(value, digits) if math.isfinite(value) else "")

    return Plot(
        zero=mark(0.0),
        # The limit was written by a person, so it is shown as it was written.
        limit=None if found.limit is None else mark(found.limit, None),
        low=mark(found.low),
        high=mark(found.high),
        estimate=mark(found.estimate),
    )


class _Scale:
    """Values to percent; infinities to the edges."""

    def __init__(self, values: list[float]) -> None:
        # Divided first, so that not even the widest range overflows.
        self.unit = max(map(abs, values)) or 1.0
        self.low, self.high = min(values) / self.unit, max(values) / self.unit
        if self.low == self.high:
            self.low, self.high = self.low - 1, self.high + 1

    def __call__(self, value: float) -> float:
        if math.isinf(value):
            return 0.0 if value < 0 else 100.0
        return LEFT + (RIGHT - LEFT) * (value / self.unit - self.low) / (self.high - self.low)
