"""Difference in mean outcomes, valid at every look: exact for bounded outcomes, asymptotic for others.

Scores, weights and drift are those of :mod:`mlflowctl.live.rates`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlflowctl.live.bets import Array, Bets, bets, growth, lower_bound, stacked
from mlflowctl.live.sums import Moments, Step, seen_by, weighted_means
from mlflowctl.registry.gates.intervals import sequence_factor, unskewed
from mlflowctl.registry.verdict import Interval

BOUNDED = "empirical-Bernstein confidence sequence (exact, valid at every look)"
UNBOUNDED = "asymptotic confidence sequence (valid at every look, for many outcomes)"
NEAR_RUIN = 0.95
MANY = 1000  # outcomes of each variant in a step; with 100 skewed outcomes missed twice as often as alpha


def bounded_difference(
    steps: Sequence[Step[Moments]], alpha: float, least: float, most: float, expected: float | None = None
) -> Interval | None:
    """Bounds of the difference of two means of outcomes that all lie between ``least`` and ``most``.

    The bets of :mod:`mlflowctl.live.bets` with log(1 + b x) replaced by its lower bound b x - ψ(b r) x² / r²,
    ψ(u) = -log(1 - u) - u, which holds for x >= -r (Fan, Grama & Liu 2015, "Exponential inequalities for
    martingales with applications") and needs sums and sums of squares only. It is the empirical-Bernstein
    process of Howard, Ramdas, McAuliffe & Sekhon (2021), theorem 4.

    Args:
        steps: the outcomes by step of the ramp, in their own unit.
        alpha: error of each bound, over all looks together.
        least: smallest possible outcome.
        most: largest possible outcome. Outcomes without a bound are capped before they are summed; the
            interval is then that of the capped outcome.
        expected: the champion's mean as known before the test; None for no idea.

    Returns:
        None while a variant has no outcome in any step.

    Raises:
        ValueError: ``least`` is not below ``most``, alpha is outside 0 to 1, the expectation lies outside the
            bounds, or the sums cannot come from outcomes within them.
    """
    if not least < most:
        raise ValueError(f"outcomes between {least} and {most} do not exist")
    if not any(step.champion.seen and step.challenger.seen for step in steps):
        return None
    unit = most - least
    sums = stacked([[*_scaled(s.challenger, least, unit), *_scaled(s.champion, least, unit)] for s in steps])
    shares = stacked([step.share for step in steps])
    family = bets(None if expected is None else (expected - least) / unit)
    information = math.fsum(step.information for step in steps)
    low, high = (
        lower_bound(grown(sums, shares, family, side), family, information, alpha) for side in (1, -1)
    )
    champion, challenger = weighted_means(steps)
    estimate = challenger - champion
    low, high = unit * max(-1.0, low), unit * min(1.0, -high)
    return Interval(estimate, min(low, estimate), max(high, estimate), alpha, BOUNDED, sum(seen_by(steps)))


def _scaled(arm: Moments, least: float, unit: float) -> tuple[float, float, float]:
    """Number, sum and sum of squares of outcomes moved to 0 to 1."""
    mean = (arm.mean - least) / unit if arm.seen else 0.0
    squares = arm.squares / unit**2 + arm.seen * mean**2
    total = arm.seen * mean
    # From 0 to 1, y² <= y; the slack is for the last digits.
    if not -1e-9 <= mean <= 1 + 1e-9 or squares > total + 1e-6 * max(1, arm.seen):
        raise ValueError(f"outcomes with the mean {arm.mean} do not all lie in {least} to {least + unit}")
    return float(arm.seen), total, squares


def grown(sums: Array, shares: Array, family: Bets, side: int) -> Array:
    """The lower bound of log Π (1 + b x) of every bet on a larger (side 1) or smaller (side -1) difference.

    Args:
        sums: shape (..., steps, 6): number, sum and sum of squares of the challenger's outcomes, then of the
            champion's, all outcomes within 0 to 1.
        shares: shape (steps,).
        side: 1 or -1.
    """
    p, c, b = shares[:, None], family.centre[None, :], family.size[None, :]
    away = c if side == 1 else 1 - c  # the farthest that x can lie on the losing side
    reach = np.maximum((1 - p) * away, p * (1 - away))
    allowed: npt.NDArray[np.bool_] = b * reach < NEAR_RUIN
    risk = np.where(allowed, b * reach, 0.0)
    square = -(-np.log1p(-risk) - risk) / reach**2
    new, old = (1 - p) ** 2 * square, p**2 * square
    up, down = side * b * (1 - p), -side * b * p
    table = np.stack(
        [new * c**2 - up * c, up - 2 * new * c, new, old * c**2 - down * c, down - 2 * old * c, old], axis=1
    )
    seen = sums[..., 0] + sums[..., 3]
    return growth(sums, table, allowed, seen)


def unbounded_difference(steps: Sequence[Step[Moments]], alpha: float) -> Interval | None:
    """Bounds of the difference of two means of outcomes without a bound, for many outcomes.

    The mean difference within each step, weighted as everywhere here; the asymptotic confidence sequence with
    a normal mixture (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, "Time-uniform central limit theory
    and asymptotic confidence sequences"), widened for skewness (Hall 1992). It assumes independent outcomes
    with a little more than a variance (2 + δ moments) and says nothing of the first ``MANY``: with tails
    heavier than that, or one outcome that outweighs all others, it is too narrow. Prefer a cap and
    :func:`bounded_difference`.

    Args:
        steps: the outcomes by step of the ramp, in their own unit.
        alpha: error of each bound, over all looks together.

    Returns:
        None until one step has ``MANY`` outcomes of each variant; smaller steps are left out.

    Raises:
        ValueError: alpha is outside 0 to 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, not within 0 to 1")
    kept = [s for s in steps if min(s.champion.seen, s.challenger.seen) >= MANY]
    weight = math.fsum(step.information for step in kept)
    if weight == 0:
        return None
    shares = [step.information / weight for step in kept]
    variance = math.fsum(
        w**2 * (_variance(s.challenger) + _variance(s.champion)) for w, s in zip(shares, kept, strict=True)
    )
    third = math.fsum(
        w**3 * (s.challenger.cubes / s.challenger.seen**3 - s.champion.cubes / s.champion.seen**3)
        for w, s in zip(shares, kept, strict=True)
    )
    champion, challenger = weighted_means(kept)
    estimate, error, total = challenger - champion, math.sqrt(variance), sum(seen_by(kept))
    if error == 0:
        return None
    reach, skewness = sequence_factor(total, alpha), third / error**3
    low, high = (error * max(reach, unskewed(reach, sign * skewness)) for sign in (1, -1))
    return Interval(estimate, estimate - low, estimate + high, alpha, UNBOUNDED, total)


def _variance(arm: Moments) -> float:
    """Variance of the mean of one variant in one step."""
    return arm.squares / (arm.seen - 1) / arm.seen
