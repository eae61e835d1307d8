"""Quantiles of latency per variant, and their difference, valid at every look.

At one edge e, "took at most e" is a rate, and whether its weighted running mean lies above or below τ is a
bet as in :mod:`mlflowctl.live.bets`. The τ-quantile lies at or below e if the mean is above τ, and above e if
it is below. A union bound over all edges (α / number of edges each) makes that true of every edge at once, so
it holds though the quantile moves: Mineiro & Howard (2023), "Time-uniform confidence bands for the CDF under
nonstationarity". Sequences for one fixed quantile of identically distributed latencies (Howard & Ramdas 2022,
"Sequential estimation of quantiles with applications to A/B testing and best-arm identification") are
narrower, but latency drifts with load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlflowctl.live.bets import Array, Bets, bets_at, growth, log_wealth, stacked
from mlflowctl.live.histogram import BUCKETS, EDGES, Histogram
from mlflowctl.registry.verdict import Interval

METHOD = "quantile confidence sequence over fixed edges (exact, valid at every look)"
NEAR_RUIN = 0.95


@dataclass(frozen=True)
class Latency:
    """One step of the ramp: the planned share of the challenger and both histograms.

    Raises:
        ValueError: the share is not between 0 and 1.
    """

    share: float
    champion: Histogram
    challenger: Histogram

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"the challenger's share is {self.share}, not within 0 to 1")


@dataclass(frozen=True)
class Quantile:
    """A quantile in milliseconds; each bound errs with probability alpha. 0 and inf are no bound yet."""

    estimate: float
    low: float
    high: float


def quantile_difference(steps: Sequence[Latency], level: float, alpha: float) -> Interval | None:
    """Bounds of the challenger's quantile minus the champion's, in milliseconds.

    Args:
        steps: histograms by step of the ramp.
        level: 0.5, 0.95, 0.99, …
        alpha: error of each bound, over all looks together; half goes to each variant.

    Returns:
        None while a variant has no request. A bound is infinite while there are too few.

    Raises:
        ValueError: level or alpha outside 0 to 1.
    """
    seen = sum(step.champion.seen for step in steps), sum(step.challenger.seen for step in steps)
    if not all(seen):
        return None
    old, new = each_quantile(steps, level, alpha / 2)
    rows = sum(seen)
    estimate = new.estimate - old.estimate
    return Interval(estimate, new.low - old.high, new.high - old.low, alpha, METHOD, rows)


def each_quantile(steps: Sequence[Latency], level: float, alpha: float) -> tuple[Quantile, Quantile]:
    """The quantile of the champion and of the challenger; arguments as of :func:`quantile`."""
    shares = stacked([step.share for step in steps])
    old = quantile([step.champion for step in steps], shares, level, alpha)
    return old, quantile([step.challenger for step in steps], 1 - shares, level, alpha)


def quantile(histograms: Sequence[Histogram], weights: Array, level: float, alpha: float) -> Quantile:
    """The quantile of one variant, each step weighing as in :mod:`mlflowctl.live.rates`.

    Args:
        histograms: one a step.
        weights: of one request by step, shape (steps,), 0 to 1: the other variant's share. Ones for all
            requests alike.
        level: 0.5, 0.95, 0.99, …
        alpha: error of each bound, over all looks together.

    Raises:
        ValueError: level or alpha outside 0 to 1.
    """
    if not (0 < level < 1 and 0 < alpha < 1):
        raise ValueError(f"level {level} and alpha {alpha} must lie within 0 to 1")
    at_most = np.stack([one.at_most() for one in histograms], axis=-1)
    seen = stacked([one.seen for one in histograms])
    family = bets_at(level)
    needed = np.log(BUCKETS / alpha)
    below, above = (_evidence(at_most, seen, weights, family, level, side) >= needed for side in (-1, 1))
    low = float(EDGES[below].max()) if below.any() else 0.0
    high = float(EDGES[above].min()) if above.any() else np.inf
    share = (at_most @ weights) / float(seen @ weights)
    reached = np.flatnonzero(share >= level)
    estimate = float(EDGES[reached[0]]) if reached.size else float(EDGES[-1])
    return Quantile(min(max(estimate, low), high), low, high)


def _evidence(at_most: Array, seen: Array, weights: Array, family: Bets, level: float, side: int) -> Array:
    """log evidence at every edge that the share at most there is above (1) or below (-1) the level."""
    cells = np.stack([at_most, seen - at_most], axis=-1)
    score = side * np.stack([weights * (1 - level), -weights * level], axis=1)
    bet = score[:, :, None] * family.size
    allowed = bet.min(axis=1) > -NEAR_RUIN
    grown = growth(cells, np.log1p(np.where(bet > -NEAR_RUIN, bet, 0.0)), allowed, cells.sum(axis=-1))
    return log_wealth(grown, family, 0.0, 0.0)
