"""The metrics: values of one model's predictions, equal to scikit-learn's of the same name.

Four families, by how their uncertainty is found: means over rows (``ROWS``), functions of such means
(``SMOOTH``), the area under the ROC curve, and functions of resampling weights (``RESAMPLED``, and user
functions), which are vectorised over many resamples at once. Tests hold every value against scikit-learn.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlflowctl.registry.gates import predictions as read
from mlflowctl.registry.gates.truth import NoValue, Truth

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Statistic = Callable[[Array], Array]  # weights (resamples, rows) -> values (resamples,)

ROWS = ("accuracy", "log_loss", "brier", "mae", "mse")
LABELS = ("balanced_accuracy", "f1", "precision", "recall")
SMOOTH = ("rmse", "r2")
RESAMPLED = (*LABELS, "average_precision")
METRICS = (*ROWS, *SMOOTH, "roc_auc", *RESAMPLED)
# Values between 0 and 1, in which one row can do only limited harm.
BOUNDED = ("accuracy", "brier", "roc_auc", "average_precision", *LABELS)


def value(name: str, raw: Any, truth: Truth) -> float:
    """The value of a metric.

    Args:
        name: one of ``METRICS``, or ``package.module:function``.
        raw: the model's predictions, shape (n,) or (n, classes).
        truth: of the same rows.

    Raises:
        NoValue: the metric is unknown, or has no finite value here.
    """
    import numpy as np

    if ":" in name:
        return call_user(user_function(name), name, truth.raw, read.checked(raw, truth))
    if name in ROWS:
        found = float(row_values(name, raw, truth).mean())
    elif name in SMOOTH:
        found = _smooth(name, raw, truth)
    else:
        feature = features(name, raw, truth)
        found = float(statistic(name, feature, truth)(np.ones((1, truth.rows)))[0])
    if not math.isfinite(found):
        raise NoValue(f"{name} is not defined on these rows.", fault="setup", more="a more varied holdout")
    return found


def row_values(name: str, raw: Any, truth: Truth) -> Array:
    """The rows whose mean is the metric, shape (n,); raises NoValue."""
    import numpy as np

    if name == "accuracy":
        return np.asarray(read.labels(raw, truth) == truth.codes, dtype=np.float64)
    if name == "log_loss":
        kind = np.asarray(raw).dtype
        tiny = float(np.finfo(kind if kind.kind == "f" else np.float64).eps)
        return np.asarray(-np.log(np.clip(read.probability_of_truth(raw, truth), tiny, 1 - tiny)))
    if name == "brier":
        return np.asarray(np.square(read.probability(raw, truth, name) - truth.codes))
    predicted = read.numbers(raw, truth)
    errors = truth.values - predicted
    return np.asarray(np.abs(errors) if name == "mae" else np.square(errors))


def _smooth(name: str, raw: Any, truth: Truth) -> float:
    mean = float(row_values("mse", raw, truth).mean())
    if name == "rmse":
        return math.sqrt(mean)
    spread = float(truth.values.var())
    return 1 - mean / spread if spread > 0 else math.nan


def linear_rows(name: str, champion: Any, challenger: Any, truth: Truth) -> Array:
    """Rows whose mean is the difference of rmse or r2, and whose spread is that of its linearisation.

    This is the delta method: the metric is a smooth function of means over rows, so near its value it moves
    like a mean over these rows, shape (n,).
    """
    import numpy as np

    old, new = (row_values("mse", one, truth) for one in (champion, challenger))
    estimate = _smooth(name, challenger, truth) - _smooth(name, champion, truth)
    if name == "rmse":
        parts = [one / (2 * math.sqrt(one.mean())) if one.any() else one for one in (new, old)]
        return np.asarray(parts[0] - parts[1] + estimate / 2)
    distances = np.square(truth.values - truth.values.mean())
    return np.asarray((old - new - estimate * distances) / distances.mean() + estimate)


def features(name: str, raw: Any, truth: Truth) -> Array:
    """What a ranked or resampled metric needs of each row: labels or scores, shape (n,)."""
    if name in LABELS:
        return read.labels(raw, truth)
    if name in ("roc_auc", "average_precision"):
        return read.scores(raw, truth, name)
    raise NoValue(
        f"There is no metric {name!r}.",
        fault="setup",
        more=f"one of {', '.join(METRICS)}, or package.module:function",
    )


def statistic(name: str, feature: Array, truth: Truth, rows: Any = slice(None)) -> Statistic:
    """The metric as a function of weights.

    Args:
        name: a metric of ``RESAMPLED``, or roc_auc.
        feature: of every row, from ``features``.
        truth: of every row.
        rows: which rows the weights speak of, in their order; all by default.
    """
    if name in LABELS:
        return _of_labels(name, feature[rows], truth.codes[rows], truth.classes.size)
    ranked = _average_precision if name == "average_precision" else _area
    return _of_ranks(feature[rows], truth.codes[rows] == 1, ranked)


def _of_labels(name: str, predicted: Array, true: Array, classes: int) -> Statistic:
    """Two classes: of the second one. More: the plain mean over the classes of the truth (macro)."""
    import numpy as np

    present = [code for code in range(classes) if (true == code).any()]
    wanted = [1] if classes == 2 and name != "balanced_accuracy" else present
    hit = np.stack([(predicted == code) & (true == code) for code in wanted], axis=1).astype(np.float64)
    said = np.stack([predicted == code for code in wanted], axis=1).astype(np.float64)
    was = np.stack([true == code for code in wanted], axis=1).astype(np.float64)

    def of(weights: Array) -> Array:
        right, claims, cases = weights @ hit, weights @ said, weights @ was
        if name == "precision":
            above, below = right, claims
        elif name == "f1":
            above, below = 2 * right, claims + cases
        else:
            above, below = right, cases
        # Nothing claimed counts as 0, as in scikit-learn.
        return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1), 0.0).mean(axis=1))

    return of


def _of_ranks(scores: Array, positive: Array, ranked: Callable[[Array, Array], Array]) -> Statistic:
    """A function of cumulated weights from the highest score down, at the last of each group of ties."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    true = positive[order].astype(np.float64)

    def of(weights: Array) -> Array:
        sorted_weights = weights[:, order]
        hits = np.cumsum(sorted_weights * true, axis=1)[:, ends]
        claims = np.cumsum(sorted_weights, axis=1)[:, ends]
        return ranked(hits, claims)

    return of


def _average_precision(hits: Array, claims: Array) -> Array:
    import numpy as np

    steps = np.diff(hits, axis=1, prepend=0)
    precision = np.where(claims > 0, hits / np.where(claims > 0, claims, 1), 0)
    total = hits[:, -1]
    return np.where(total > 0, (steps * precision).sum(axis=1) / np.where(total > 0, total, 1), np.nan)


def _area(hits: Array, claims: Array) -> Array:
    import numpy as np

    false = claims - hits
    steps = np.diff(false, axis=1, prepend=0)
    before = np.concatenate([np.zeros((hits.shape[0], 1)), hits[:, :-1]], axis=1)
    pairs = hits[:, -1] * false[:, -1]
    area = (steps * (hits + before) / 2).sum(axis=1)
    return np.where(pairs > 0, area / np.where(pairs > 0, pairs, 1), np.nan)


def user_function(name: str) -> Callable[[Any, Any], Any]:
    """The function behind ``package.module:function``; raises NoValue if there is none."""
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as exc:  # importing strangers' code can raise anything
        raise NoValue(
            f"The metric {name} cannot be imported ({type(exc).__name__}: {exc}).",
            fault="setup",
            more=f"an importable {name}",
        ) from exc
    if not callable(found):
        raise NoValue(f"{name} is not a function.", fault="setup", more=f"a function {name}(y_true, y_pred)")
    return found  # type: ignore[no-any-return]


def call_user(function: Callable[[Any, Any], Any], name: str, true: Array, predicted: Array) -> float:
    """``function(y_true, y_pred)`` as a finite number; raises NoValue if it raises or returns none."""
    try:
        found = float(function(true, predicted))
    except (Exception, SystemExit) as exc:  # strangers' code can raise anything
        raise NoValue(
            f"The metric {name} raised {type(exc).__name__}: {exc}".rstrip(". ") + ".",
            fault="setup",
            more=f"a {name} that works on these predictions",
        ) from exc
    if not math.isfinite(found):
        raise NoValue(f"The metric {name} returned {found}.", fault="model", more="a finite value")
    return found
