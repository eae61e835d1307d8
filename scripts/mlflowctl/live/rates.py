"""Difference in rates (errors, conversions) between challenger and champion, valid at every look.

A request with outcome y (0 or 1) in a step with the share p scores

    x = (z - p)(y - c),    z = 1 if the challenger answered, c any constant,

and because z is drawn independently of the outcome with probability p, the mean of x is p (1 - p) × (rate of
the challenger - rate of the champion) for this very request, whatever the rates do over time. Sums over steps
therefore estimate the mean difference over all requests, each weighing p (1 - p) of its step (the overlap
weights of Li, Morgan & Zaslavsky 2018, "Balancing covariates via propensity score weighting"). No assumption
of large numbers is made. Why this is a confidence sequence: :mod:`mlflowctl.live.bets`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlflowctl.live.bets import Array, Bets, bets, growth, log_wealth, lower_bound, stacked
from mlflowctl.live.sums import Counts, Step, seen_by, weighted_means
from mlflowctl.registry.verdict import Interval

METHOD = "confidence sequence by betting (exact, valid at every look)"
NEAR_RUIN = 0.95  # 1 + b x stays above 0.05


def rate_difference(
    steps: Sequence[Step[Counts]], alpha: float, expected: float | None = None
) -> Interval | None:
    """Bounds of the difference of two rates; None while a variant has no request in any step.

    Args:
        steps: the counts by step of the ramp.
        alpha: error of each bound, over all looks together.
        expected: the champion's rate as known before the test, 0 to 1. A wrong one costs width, never
            validity; None costs a little width.

    Raises:
        ValueError: alpha or the expectation is outside 0 to 1.
    """
    champion, challenger = weighted_means(steps)
    if not any(step.champion.seen and step.challenger.seen for step in steps):
        return None
    cells, shares = cells_of(steps)
    information = float(np.sum([step.information for step in steps]))
    family = bets(expected)
    bounds = [lower_bound(grown(cells, shares, family, side), family, information, alpha) for side in (1, -1)]
    estimate = challenger - champion
    low, high = max(-1.0, bounds[0]), min(1.0, -bounds[1])
    return Interval(estimate, min(low, estimate), max(high, estimate), alpha, METHOD, sum(seen_by(steps)))


def cells_of(steps: Sequence[Step[Counts]]) -> tuple[Array, Array]:
    """Challenger hit and miss, champion hit and miss, shape (steps, 4); and the shares, shape (steps,)."""
    cells = [
        (
            step.challenger.hits,
            step.challenger.seen - step.challenger.hits,
            step.champion.hits,
            step.champion.seen - step.champion.hits,
        )
        for step in steps
    ]
    return stacked(cells).reshape(-1, 4), stacked([step.share for step in steps])


def grown(cells: Array, shares: Array, family: Bets, side: int) -> Array:
    """log Π (1 + b x) of every bet that the difference is larger (side 1) or smaller (side -1).

    Args:
        cells: as of :func:`cells_of`, shape (..., steps, 4).
        shares: shape (steps,).
        side: 1 or -1.
    """
    p, c = shares[:, None], family.centre[None, :]
    score = side * np.stack([(1 - p) * (1 - c), -(1 - p) * c, -p * (1 - c), p * c], axis=1)
    bet = family.size * score
    allowed: npt.NDArray[np.bool_] = bet.min(axis=1) > -NEAR_RUIN
    return growth(cells, np.log1p(np.where(bet > -NEAR_RUIN, bet, 0.0)), allowed, cells.sum(axis=-1))


def log_evidence(
    cells: Array, shares: Array, difference: Array | float, side: int, expected: float | None = None
) -> Array:
    """log of the evidence that the difference is above ``difference`` (or below it), at many looks at once.

    It rejects where it is at least log(1/alpha): exactly where the bound of :func:`rate_difference` has
    passed ``difference``.

    Args:
        cells: as of :func:`cells_of`, shape (..., steps, 4).
        shares: shape (steps,).
        difference: challenger - champion, shape (...) or one for all.
        side: 1 for above, -1 for below.
        expected: see :func:`rate_difference`.

    Returns:
        Shape (...).
    """
    family = bets(expected)
    information = cells.sum(axis=-1) @ (shares * (1 - shares))
    return log_wealth(grown(cells, shares, family, side), family, information, side * difference)
