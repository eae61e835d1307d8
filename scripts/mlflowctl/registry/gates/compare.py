"""Which interval belongs to which metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflowctl.registry.gates import intervals, metrics
from mlflowctl.registry.gates import predictions as read
from mlflowctl.registry.gates.bootstrap import bootstrap
from mlflowctl.registry.gates.truth import NoValue, Truth
from mlflowctl.registry.verdict import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


def difference(name: str, truth: Truth, champion: Any, challenger: Any, alpha: float, seed: int) -> Interval:
    """The difference challenger - champion of a metric on the same rows, with bounds.

    Args:
        name: a metric of ``metrics.METRICS`` or ``package.module:function``.
        truth: of the holdout, n rows.
        champion: predictions, shape (n,) or (n, classes).
        challenger: predictions of the same rows.
        alpha: error of each bound.
        seed: of the bootstrap, where one is needed.

    Raises:
        NoValue: it cannot be computed, or the two differ on too few rows.
    """
    if name == "accuracy":
        old, new = (metrics.row_values(name, one, truth) for one in (champion, challenger))
        gained, lost = int((new > old).sum()), int((new < old).sum())
        return intervals.paired_binary(gained, lost, truth.rows, alpha)
    if name in metrics.ROWS:
        rows = metrics.row_values(name, challenger, truth) - metrics.row_values(name, champion, truth)
        found = intervals.paired_mean(rows, alpha)
    elif name in metrics.SMOOTH:
        found = intervals.paired_mean(metrics.linear_rows(name, champion, challenger, truth), alpha)
    elif name == "roc_auc":
        old, new = (metrics.features(name, one, truth) for one in (champion, challenger))
        found = intervals.paired_auc(old, new, truth.codes == 1, alpha)
    else:
        found = bootstrap(name, truth, champion, challenger, alpha, seed)
    return _with_few_differences(name, found, truth, _differing(name, truth, champion, challenger))


def identical(champion: Any, challenger: Any) -> bool:
    """True if both models returned exactly the same for every row."""
    import numpy as np

    old, new = np.squeeze(np.asarray(champion)), np.squeeze(np.asarray(challenger))
    return old.shape == new.shape and bool((old == new).all())


def _differing(name: str, truth: Truth, champion: Any, challenger: Any) -> int:
    """On how many rows the metric sees a difference."""
    import numpy as np

    if name in metrics.ROWS or name in metrics.SMOOTH:
        row = "mse" if name in metrics.SMOOTH else name
        old, new = (metrics.row_values(row, one, truth) for one in (champion, challenger))
    elif ":" in name:
        old, new = (read.checked(one, truth) for one in (champion, challenger))
    else:
        old, new = (metrics.features(name, one, truth) for one in (champion, challenger))
    if old.shape != new.shape:
        return truth.rows
    changed = np.asarray(old != new)
    return int(changed.any(axis=1).sum() if changed.ndim == 2 else changed.sum())


def _with_few_differences(name: str, found: Interval, truth: Truth, differing: int) -> Interval:
    """Few differing rows say little about the rows not seen; a bounded metric tells how little."""
    if differing >= intervals.MIN_DIFFERING and found.low < found.high:
        return found
    if name in metrics.BOUNDED:
        counts = truth.counts()
        smallest = truth.rows if name == "brier" else int(counts[counts > 0].min())
        return intervals.widened(found, intervals.unseen(smallest, found.alpha))
    if differing >= intervals.MIN_DIFFERING:
        return found  # every row differs by the same amount
    raise NoValue(
        f"The two models differ on only {differing} of {truth.rows} rows, too few to compare them.",
        fault="setup",
        more=f"at least {intervals.MIN_DIFFERING} rows on which they differ",
    )
