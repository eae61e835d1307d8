"""One-sided bounds of the difference challenger - champion. Formulas and sources: docs/gates.md.

``low`` and ``high`` each err with probability ``alpha`` by themselves. Differences are in the metric's own
unit and sign; which way is better is no concern of this module.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from mlflowctl.registry.gates.truth import NoValue
from mlflowctl.registry.verdict import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

MIN_ROWS = 30  # below it no mean is near enough to normal
MIN_DIFFERING = 10  # below it the variance is no more than a guess
MIN_PER_ARM = 100  # outcomes of each version before the first look counts
TUNED_FOR = 20_000  # outcomes at which the confidence sequence is narrowest
BISECTIONS = 60


def normal_quantile(alpha: float) -> float:
    """z with P(Z > z) = alpha."""
    return -NormalDist().inv_cdf(alpha)


def student_quantile(alpha: float, freedom: float) -> float:
    """t with P(T > t) = alpha, for a t distribution with this many degrees of freedom (1 or more)."""
    from scipy.special import stdtrit  # type: ignore[import-untyped,unused-ignore]

    return -float(stdtrit(freedom, alpha))


def paired_binary(gained: int, lost: int, rows: int, alpha: float) -> Interval:
    """Difference of two proportions on the same rows: Tango's score interval, with half a row of correction.

    Args:
        gained: rows that only the challenger has right.
        lost: rows that only the champion has right.
        rows: all rows.
        alpha: of each bound.
    """
    z = normal_quantile(alpha)
    low = _score_bound(gained, lost, rows, z)
    high = -_score_bound(lost, gained, rows, z)
    return Interval((gained - lost) / rows, low, high, alpha, "Tango's score interval for paired rows", rows)


def _score_bound(gained: int, lost: int, rows: int, z: float) -> float:
    """The smallest difference that the score test does not reject from below."""
    low, high = -1.0, max(-1.0, (gained - lost - 0.5) / rows)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if gained - lost - rows * middle - 0.5 > z * _null_deviation(gained, lost, rows, middle):
            low = middle
        else:
            high = middle
    return low


def _null_deviation(gained: int, lost: int, rows: int, difference: float) -> float:
    """Standard deviation of gained - lost if the true difference were this one (Tango 1998, eq. for q21)."""
    linear = -gained - lost + (2 * rows - gained + lost) * difference
    constant = -lost * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 8 * rows * constant, 0.0))
    losing = max((root - linear) / (4 * rows), -difference, 0.0)
    return math.sqrt(max(rows * (2 * losing + difference * (1 - difference)), 0.0))


def paired_mean(differences: Array, alpha: float) -> Interval:
    """Mean of row differences: on each side the wider of Student's t and Hall's skewness-corrected bound.

    Args:
        differences: challenger - champion, one a row, shape (n,).
        alpha: of each bound.

    Raises:
        NoValue: too few rows.
    """

    rows = int(differences.size)
    enough_rows(rows)
    return _of_means([differences], alpha, "paired t, widened for skewness (Hall)", rows)


def _of_means(parts: list[Array], alpha: float, method: str, rows: int) -> Interval:
    """Bounds of the sum of the means of independent samples.

    Degrees of freedom are Satterthwaite's (1946), each sample counting by its kurtosis: the variance of a
    heavy-tailed sample is known less well than its size suggests.
    """
    estimate = math.fsum(float(part.mean()) for part in parts)
    variances = [float(part.var(ddof=1)) / part.size for part in parts]
    total = math.fsum(variances)
    if total == 0:
        return Interval(estimate, estimate, estimate, alpha, method, rows)
    pairs = list(zip(parts, variances, strict=True))
    freedom = total**2 / math.fsum(share**2 / _freedom(part) for part, share in pairs)
    error = math.sqrt(total)
    skewness = math.fsum(_central(part, 3) / part.size**2 for part in parts) / error**3
    t = student_quantile(alpha, freedom)
    low, high = (error * max(t, unskewed(t, sign * skewness)) for sign in (1, -1))
    return Interval(estimate, estimate - low, estimate + high, alpha, method, rows)


def _central(sample: Array, power: int) -> float:
    """The third or fourth central moment."""
    centred = sample - sample.mean()
    powers = centred * centred  # numpy's own power is ten times slower
    return float((powers * (centred if power == 3 else powers)).mean())


def _freedom(sample: Array) -> float:
    """Degrees of freedom of a sample variance: 2n / (kurtosis - 1), n for a normal; at most n - 1."""
    variance = float(sample.var())
    if variance == 0:
        return float(sample.size - 1)
    kurtosis = _central(sample, 4) / variance**2
    return max(1.0, min(sample.size - 1, 2 * sample.size / max(kurtosis - 1, 1e-9)))


def unskewed(reach: float, skewness: float) -> float:
    """How many standard errors to reach out, by Hall's cubic transformation (Hall 1992).

    Args:
        reach: standard errors without skewness.
        skewness: of the estimate itself (for a mean of n rows: that of the rows / sqrt(n)).
    """
    if abs(skewness) < 1e-9:
        return reach
    return 3 / skewness * (math.cbrt(1 + skewness * (reach - skewness / 6)) - 1)


def paired_auc(champion: Array, challenger: Array, positive: Array, alpha: float) -> Interval:
    """Difference of two areas under the ROC curve on the same rows (DeLong et al. 1988; Sun & Xu 2014).

    DeLong's variance is that of the mean change among positives plus that among negatives; the bounds then
    are those of ``paired_mean``, so that few positives or skewed changes widen them.

    Args:
        champion: scores, shape (n,).
        challenger: scores, shape (n,).
        positive: which rows are of the second class, shape (n,), bool.
        alpha: of each bound.

    Raises:
        NoValue: fewer than two rows of a class.
    """
    smaller = int(min(positive.sum(), (~positive).sum()))
    enough_rows(int(positive.size))
    enough_of_a_class(smaller)
    old_pos, old_neg = placements(champion, positive)
    new_pos, new_neg = placements(challenger, positive)
    gains, losses = new_pos - old_pos, new_neg - old_neg
    return _of_means([gains, losses - losses.mean()], alpha, "DeLong", int(positive.size))


def placements(scores: Array, positive: Array) -> tuple[Array, Array]:
    """For each positive the share of negatives below it, and for each negative that of positives above it.

    Ties count one half. Both means are the area under the curve. By midranks, so in n log n.
    """
    above, below = scores[positive], scores[~positive]
    together = _midranks(scores)
    of_positives = (together[positive] - _midranks(above)) / below.size
    of_negatives = 1 - (together[~positive] - _midranks(below)) / above.size
    return of_positives, of_negatives


def _midranks(values: Array) -> Array:
    """Ranks from 1; ties share the mean of theirs."""
    import numpy as np

    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: Array = (last - (counts - 1) / 2)[inverse]
    return found


def independent_means(champion: Array, challenger: Array, alpha: float) -> Interval:
    """Difference of the means of two growing samples, valid however often it is looked at.

    One-sided asymptotic confidence sequence with a normal mixture (Waudby-Smith et al. 2024) on n = n1 + n0
    outcomes with variance n (s1²/n1 + s0²/n0). For 0/1 outcomes each variance is that of the sample with two
    successes and two failures added (Agresti & Coull 1998), so that an arm without a single failure is not
    taken for perfect; for others the bounds are widened for skewness as in ``paired_mean``.

    Args:
        champion: outcomes, shape (n0,).
        challenger: outcomes, shape (n1,).
        alpha: of each bound, over all looks together.

    Raises:
        NoValue: an arm has fewer than ``MIN_PER_ARM`` outcomes, or almost all are the same number.
    """

    enough_outcomes(int(challenger.size), "challenger")
    enough_outcomes(int(champion.size), "champion")
    total = int(champion.size + challenger.size)
    binary = all(bool(((arm == 0) | (arm == 1)).all()) for arm in (champion, challenger))
    variance = _mean_variance(champion, binary) + _mean_variance(challenger, binary)
    estimate = float(challenger.mean() - champion.mean())
    reach, error = sequence_factor(total, alpha), math.sqrt(variance)
    skewness = 0.0
    if not binary:
        third = _central(challenger, 3) / challenger.size**2 - _central(champion, 3) / champion.size**2
        skewness = third / error**3
    low, high = (error * max(reach, unskewed(reach, sign * skewness)) for sign in (1, -1))
    method = "confidence sequence (valid at every look)"
    return Interval(estimate, estimate - low, estimate + high, alpha, method, total)


def _mean_variance(arm: Array, binary: bool) -> float:
    """Variance of the mean of one arm."""
    import numpy as np

    if binary:
        share = (float(arm.sum()) + 2) / (arm.size + 4)
        return share * (1 - share) / float(arm.size)
    # If most are the same number, it is the median.
    varied = int((arm != np.median(arm)).sum())
    if varied < MIN_DIFFERING:
        raise NoValue(
            f"All but {varied} of {arm.size} outcomes of a version are the same number.",
            fault="setup",
            more=f"outcomes of which at least {MIN_DIFFERING} differ from the most common",
        )
    return float(arm.var(ddof=1)) / float(arm.size)


def sequence_factor(total: int, alpha: float) -> float:
    """By how many standard errors the confidence sequence reaches out after this many outcomes."""
    spread = -2 * math.log(alpha)
    rho2 = (spread + math.log(spread + 1)) / TUNED_FOR
    grown = total * rho2 + 1
    return math.sqrt(2 * grown / (total * rho2) * math.log(1 + math.sqrt(grown) / (2 * alpha)))


def widened(interval: Interval, by: float) -> Interval:
    """No bound nearer to the estimate than ``by``."""
    low, high = min(interval.low, interval.estimate - by), max(interval.high, interval.estimate + by)
    return Interval(interval.estimate, low, high, interval.alpha, interval.method, interval.rows)


def unseen(rows: int, alpha: float) -> float:
    """The largest share of rows that may behave differently though none of ``rows`` did (rule of three)."""
    return float(1 - alpha ** (1 / rows))


def enough_rows(rows: int) -> None:
    """Raises NoValue below ``MIN_ROWS``."""
    if rows < MIN_ROWS:
        raise NoValue(
            f"The holdout has only {rows} rows, too few to compare the two.",
            fault="setup",
            more=f"at least {MIN_ROWS - rows} more rows",
        )


def enough_of_a_class(rows: int) -> None:
    """Raises NoValue if a class has fewer than two rows."""
    if rows < 2:
        raise NoValue(
            "A class has fewer than 2 rows in the holdout.", fault="setup", more="more rows of the rare class"
        )


def enough_outcomes(seen: int, whose: str) -> None:
    """Raises NoValue below ``MIN_PER_ARM``."""
    if seen < MIN_PER_ARM:
        raise NoValue(
            f"The {whose} has only {seen} outcomes; nothing is judged before {MIN_PER_ARM}.",
            fault="setup",
            more=f"at least {MIN_PER_ARM - seen} more outcomes of the {whose}",
        )
