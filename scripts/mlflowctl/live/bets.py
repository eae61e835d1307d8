"""The martingale behind every interval here: many small bets against "the difference is at most d".

A score x of a request has the mean m given everything before it. For every bet b with 1 + b x > 0,

    W = Π (1 + b x) / exp(b Σ m)

is a nonnegative supermartingale that starts at 1, because E[1 + b x] = 1 + b m <= exp(b m). The means may
drift: only their sum enters. A weighted average of such processes over bets is one again, and by Ville's
inequality (1939) it ever reaches 1/α with probability at most α. So all d for which the average is below 1/α
are a confidence sequence, at every look at once. Betting: Waudby-Smith & Ramdas (2024), "Estimating means of
bounded random variables by betting"; drifting means: Mineiro & Howard (2023), "Time-uniform confidence bands
for the CDF under nonstationarity"; averages over bets: Robbins (1970), "Statistical methods related to the
law of the iterated logarithm".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp  # type: ignore[import-untyped,unused-ignore]

Array = npt.NDArray[np.float64]

SIZES = 2.0 ** np.arange(-11, 2.01, 0.5)  # of a bet; the best is about sqrt(2 log(1/α) / information)
TUNED_FOR = 0.25  # the bet of a few hundred events
CENTRES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
NEWTON_STEPS = 60


@dataclass(frozen=True)
class Bets:
    """A family of bets, each with a centre around which outcomes are scored.

    Attributes:
        size: shape (bets,), above 0.
        centre: shape (bets,), from 0 to 1.
        log_weight: shape (bets,); the weights add up to 1.
    """

    size: Array
    centre: Array
    log_weight: Array


def bets(expected: float | None = None) -> Bets:
    """Sizes around ``TUNED_FOR``, each at every centre.

    Any weights chosen before the data are valid; they only decide where the interval is narrow. With an
    expectation, 6/10 of the weight is on it.

    Args:
        expected: the champion's rate as known before the test, 0 to 1; None for no idea.

    Raises:
        ValueError: an expectation outside 0 to 1.
    """
    if expected is not None and not 0 <= expected <= 1:
        raise ValueError(f"the expected rate is {expected}, not within 0 to 1")
    octaves = np.abs(np.log2(SIZES / TUNED_FOR))
    by_size = 1 / (1.5 + octaves) ** 1.5
    # Rare and very frequent events need a centre at the end; in between, neighbours help each other.
    by_centre = np.array([3.0 if centre in (0.0, 1.0) else 1.0 for centre in CENTRES])
    centres, weights = np.array(CENTRES), by_centre / by_centre.sum()
    if expected is not None:
        centres, weights = np.append(centres, expected), np.append(0.4 * weights, 0.6)
    grid = np.log(by_size / by_size.sum())[:, None] + np.log(weights)[None, :]
    size = np.repeat(SIZES, centres.size)
    return Bets(size, np.tile(centres, SIZES.size), grid.ravel())


def bets_at(centre: float) -> Bets:
    """The sizes of :func:`bets` at one centre."""
    family = bets(centre)
    sizes = family.size.size // (len(CENTRES) + 1)
    chosen = slice(len(CENTRES), None, len(CENTRES) + 1)
    log_weight = family.log_weight[chosen] - np.log(0.6)
    return Bets(family.size[chosen], np.full(sizes, centre), log_weight)


def growth(sums: Array, table: Array, allowed: npt.NDArray[np.bool_], seen: Array) -> Array:
    """log Π (1 + b x) of every bet.

    Args:
        sums: shape (..., steps, sums).
        table: what one unit of each sum adds, shape (steps, sums, bets).
        allowed: which bets keep 1 + b x > 0 for every possible x, shape (steps, bets). A bet that is not
            allowed in a step that has records is dropped (worth 0), which keeps a supermartingale one.
        seen: records by step, shape (..., steps).
    """
    grown: Array = np.tensordot(sums, np.where(allowed[:, None, :], table, 0.0), axes=2)
    dropped = (seen > 0).astype(np.float64) @ (~allowed).astype(np.float64) > 0
    return np.where(dropped, -np.inf, grown)


def log_wealth(grown: Array, family: Bets, information: Array | float, difference: Array | float) -> Array:
    """log of the average of all bets against "the weighted mean difference is at most ``difference``".

    Args:
        grown: shape (..., bets).
        information: Σ of the weights, shape (...).
        difference: the hypothesis, shape (...) or one for all.
    """
    expected = np.multiply.outer(np.asarray(information, dtype=np.float64) * difference, family.size)
    found: Array = logsumexp(grown - expected + family.log_weight, axis=-1)
    return found


def lower_bound(grown: Array, family: Bets, information: float, alpha: float) -> float:
    """The largest d that all "the difference is at most d'" with d' <= d are rejected; -inf for none.

    Newton's method from the left of a convex, falling function never passes the root, so wherever it stops
    the bound is on the safe side.

    Args:
        grown: shape (bets,).
        information: Σ of the weights.
        alpha: of this bound, over all looks together.

    Raises:
        ValueError: alpha outside 0 to 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, not within 0 to 1")
    alive = np.isfinite(grown)
    if information <= 0 or not alive.any():
        return -np.inf
    scores, slopes = (grown + family.log_weight)[alive], family.size[alive] * information
    bound = float(np.max((scores + np.log(alpha)) / slopes))
    for _ in range(NEWTON_STEPS):
        terms = scores - slopes * bound
        value = float(logsumexp(terms))
        slope = float(np.exp(terms - value) @ slopes)
        step = (value + np.log(alpha)) / slope
        bound += max(step, 0.0)
        if step < 1e-12:
            break
    return float(bound)


def stacked(rows: list[Any]) -> Array:
    """Rows of numbers as one array of floats."""
    return np.asarray(rows, dtype=np.float64)
