"""The paired bootstrap, for metrics that are no means over rows: both models on the same resampled rows.

Rows are drawn within each class (stratified), so that no resample loses a class. Rows that are alike for
both models are drawn as one group, which makes label metrics cost the same for any number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from mlflowctl.registry.gates import metrics
from mlflowctl.registry.gates import predictions as read
from mlflowctl.registry.gates.intervals import enough_of_a_class, enough_rows, student_quantile
from mlflowctl.registry.gates.truth import NoValue, Truth
from mlflowctl.registry.verdict import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

RESAMPLES, USER_RESAMPLES = 2000, 1000
# Cells (resamples x rows) at most, which bounds the time; user functions are slower.
CELLS, USER_CELLS = 20_000_000, 10_000_000
FEWEST_RESAMPLES = 500
CHUNK_CELLS = 2_000_000
UNDEFINED_SHARE = 0.01
CLASS_LIKE = 20  # distinct values up to which a user metric's truth is taken for classes


def bootstrap(name: str, truth: Truth, champion: Any, challenger: Any, alpha: float, seed: int) -> Interval:
    """Bounds of the difference of a metric.

    Args:
        name: a metric of ``RESAMPLED``, or ``package.module:function``.
        truth: of the holdout.
        champion: predictions, shape (n,) or (n, classes).
        challenger: predictions of the same rows.
        alpha: of each bound.
        seed: of the resamples.

    Raises:
        NoValue: too few rows, or too many resamples on which the metric is undefined.
    """
    import numpy as np

    enough_rows(truth.rows)
    resample = _user if ":" in name else _vectorised
    estimate, differences, smallest = resample(name, truth, champion, challenger, seed)
    undefined = float(np.mean(~np.isfinite(differences)))
    if undefined > UNDEFINED_SHARE:
        raise NoValue(
            f"{name} is undefined on {undefined:.0%} of the resamples.",
            fault="setup",
            more="more rows, above all of the rare class",
        )
    differences = differences[np.isfinite(differences)]
    enough_of_a_class(smallest)
    low, high = _bounds(differences, estimate, alpha, smallest)
    method = f"paired bootstrap, {differences.size} resamples"
    return Interval(estimate, low, high, alpha, method, truth.rows)


def _bounds(differences: Array, estimate: float, alpha: float, smallest: int) -> tuple[float, float]:
    """The wider, on each side, of Hesterberg's expanded percentile and Student's t on the bootstrap error.

    The second also reaches tails that lie beyond the outermost resample.
    """
    import numpy as np

    t = student_quantile(alpha, smallest - 1)
    tail = NormalDist().cdf(-math.sqrt(smallest / (smallest - 1)) * t)
    reach = t * float(differences.std(ddof=1)) * math.sqrt(smallest / (smallest - 1))
    low, high = np.quantile(differences, [tail, 1 - tail])
    return min(float(low), estimate - reach), max(float(high), estimate + reach)


def _vectorised(
    name: str, truth: Truth, champion: Any, challenger: Any, seed: int
) -> tuple[float, Array, int]:
    """The estimate, the resampled differences, and the size of the smallest stratum."""
    import numpy as np

    old, new = (metrics.features(name, one, truth) for one in (champion, challenger))
    rows, counts = _groups(name, truth.codes, old, new)
    olds, news = (metrics.statistic(name, one, truth, rows) for one in (old, new))
    whole = counts[None, :].astype(np.float64)
    estimate = float((news(whole) - olds(whole))[0])
    resamples = max(FEWEST_RESAMPLES, min(RESAMPLES, CELLS // rows.size))
    parts = [
        news(weights) - olds(weights) for weights in _weights(truth.codes[rows], counts, resamples, seed)
    ]
    sizes = truth.counts()
    return estimate, np.concatenate(parts), int(sizes[sizes > 0].min())


def _groups(name: str, strata: Array, old: Array, new: Array) -> tuple[Array, Array]:
    """One row of each group of like rows, and how many there are; ordered by stratum."""
    import numpy as np

    if name not in metrics.LABELS:
        order = np.argsort(strata, kind="stable")
        return order, np.ones(order.size, dtype=np.int64)
    # -1, a label that the truth lacks, becomes 0; strata come first, so that groups are ordered by them.
    width = int(max(old.max(), new.max())) + 2
    key = (strata * width + old + 1) * width + new + 1
    _, first, counts = np.unique(key, return_index=True, return_counts=True)
    return first, counts


def _weights(strata: Array, counts: Array, resamples: int, seed: int) -> Iterator[Array]:
    """How often each group is drawn, float64, in chunks of shape (some resamples, groups)."""
    import numpy as np

    random = np.random.default_rng(seed)
    chunk = max(1, CHUNK_CELLS // strata.size)
    starts = np.flatnonzero(np.diff(strata, prepend=-1))
    blocks = [np.arange(a, b) for a, b in zip(starts, [*starts[1:], strata.size], strict=True)]
    for begin in range(0, resamples, chunk):
        size = min(chunk, resamples - begin)
        weights = np.empty((size, strata.size))
        for block in blocks:
            total = int(counts[block].sum())
            weights[:, block] = random.multinomial(total, counts[block] / total, size=size)
        yield weights


def _user(name: str, truth: Truth, champion: Any, challenger: Any, seed: int) -> tuple[float, Array, int]:
    """The same for a user function, which is called once for each model and resample."""
    import numpy as np

    function = metrics.user_function(name)
    old, new = (read.checked(one, truth) for one in (champion, challenger))
    estimate = metrics.call_user(function, name, truth.raw, new) - metrics.call_user(
        function, name, truth.raw, old
    )
    classes = not truth.numeric or truth.classes.size <= CLASS_LIKE
    strata = truth.codes if classes else np.zeros(truth.rows, dtype=np.intp)
    order, counts = _groups(name, strata, old, new)
    resamples = max(FEWEST_RESAMPLES, min(USER_RESAMPLES, USER_CELLS // truth.rows))
    differences = []
    for weights in _weights(strata[order], counts, resamples, seed):
        for row in weights:
            drawn = np.repeat(order, row.astype(np.intp))
            differences.append(_one_difference(function, name, truth.raw[drawn], old[drawn], new[drawn]))
    sizes = np.bincount(strata)
    return estimate, np.array(differences), int(sizes[sizes > 0].min())


def _one_difference(function: Any, name: str, true: Array, old: Array, new: Array) -> float:
    try:
        return metrics.call_user(function, name, true, new) - metrics.call_user(function, name, true, old)
    except NoValue:
        return math.nan
