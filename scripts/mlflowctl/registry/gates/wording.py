"""The sentences of a verdict, and how much more data would decide. All differences: higher is better."""

from __future__ import annotations

import math
from collections.abc import Callable

from mlflowctl.registry.gates.intervals import sequence_factor

MOST = 1_000_000_000  # beyond it "more data" is no answer


def number(value: float) -> str:
    """A number with four significant digits."""
    return f"{value:.4g}"


def confidence(alpha: float) -> str:
    """1 - alpha in percent."""
    return f"{100 * (1 - alpha):.4g} %"


def estimated(difference: float) -> str:
    """ "Better by 0.012"."""
    if difference == 0:
        return "Equal to the champion"
    return f"{'Better' if difference > 0 else 'Worse'} by {number(abs(difference))}"


def at_least(low: float) -> str:
    """The lower bound in words."""
    return f"better by at least {number(low)}" if low > 0 else f"worse by at most {number(-low)}"


def at_most(high: float) -> str:
    """The upper bound in words."""
    return f"better by at most {number(high)}" if high > 0 else f"worse by at least {number(-high)}"


def rows_needed(have: int, reach: float, gap: float) -> float:
    """How many rows bring an interval that reaches out ``reach`` down to ``gap``: it shrinks as 1/sqrt."""
    return have * (reach / gap) ** 2


def outcomes_needed(have: int, reach: float, gap: float, alpha: float) -> float:
    """The same for a confidence sequence, which shrinks a little more slowly."""

    def at(total: float) -> float:
        factor = sequence_factor(int(total), alpha) / sequence_factor(have, alpha)
        return reach * factor * math.sqrt(have / total)

    low = high = float(have)
    while at(high) > gap:
        low, high = high, high * 2
        if high > MOST:
            return math.inf
    while high - low > 1 + low / 1000:
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle) > gap else (low, middle)
    return high


def more(have: int, low: float, estimate: float, high: float, edge: float, needed: Needed, unit: str) -> str:
    """What would decide, if the present estimate stays.

    Args:
        have: rows or outcomes now.
        low: lower bound of the difference.
        estimate: of the difference.
        high: upper bound.
        edge: what the interval must clear.
        needed: ``rows_needed``, or ``outcomes_needed`` with its alpha filled in.
        unit: "rows" or "outcomes".
    """
    gap = abs(estimate - edge)
    reach = estimate - low if estimate > edge else high - estimate
    total = needed(have, reach, gap) if gap > 1e-12 else math.inf
    if total > MOST:
        return f"no amount of {unit} would decide at the present estimate, which lies on the margin"
    side = "pass" if estimate > edge else "fail"
    count = f"about {_rounded_up(max(total - have, 1)):,} more {unit}"
    return f"{count}, if the estimate stays (it would then {side})"


def _rounded_up(value: float) -> int:
    """To two significant digits, upwards."""
    unit: int = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return math.ceil(value / unit) * unit


Needed = Callable[[int, float, float], float]
