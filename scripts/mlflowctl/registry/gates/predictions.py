"""What a model returned, read as labels, scores, probabilities or numbers (rules: docs/gates.md).

A model's ``predict`` may return labels, scores or class probabilities; each metric needs one of them.
Whatever cannot be read raises ``NoValue``, which the judge turns into a verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflowctl.registry.gates.truth import NoValue, Truth, count_missing, plain

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

SUM_TOLERANCE = 0.01


def labels(raw: Any, truth: Truth) -> Array:
    """Predicted labels, shape (n,), as positions among ``truth.classes``; -1: a class the truth lacks.

    Two-dimensional predictions: the most probable column. One-dimensional: labels as they are, or, with
    two classes and fractions between 0 and 1, the second class where the score is above 0.5.

    Raises:
        NoValue: they are neither.
    """
    import numpy as np

    array = _shaped(raw, truth)
    if array.ndim == 2:
        probabilities = _numbers(array)
        best = np.argmax(probabilities, axis=1)
        return np.asarray(_column_codes(probabilities.shape[1], truth)[best])
    values = plain(array)
    if values.dtype.kind != "f":
        _complete(array, values)
        return _match(values, truth)
    _finite(values)
    if (values == np.round(values)).all() or np.isin(values, truth.classes).all():
        return _match(values, truth)
    if truth.classes.size == 2 and values.min() >= 0 and values.max() <= 1:
        return np.asarray(values > 0.5, dtype=np.intp)
    raise NoValue(
        "The predictions are neither labels nor scores between 0 and 1 of two classes.",
        fault="model",
        more="a model that returns labels or probabilities",
    )


def scores(raw: Any, truth: Truth, metric: str) -> Array:
    """The score of the second class (sorted), shape (n,), float64, any scale.

    Raises:
        NoValue: not two classes, or the predictions are text, not finite or of another shape.
    """
    truth.two_classes(metric)
    array = _numbers(_shaped(raw, truth))
    if array.ndim == 1:
        return array
    if array.shape[1] != 2:
        raise NoValue(
            f"The model returned {array.shape[1]} columns for two classes.",
            fault="model",
            more="a model that returns one score, or two probabilities, a row",
        )
    return array[:, 1]


def probability(raw: Any, truth: Truth, metric: str) -> Array:
    """The probability of the second class, shape (n,); raises NoValue like ``scores``, or outside 0 to 1."""
    found = scores(raw, truth, metric)
    _between_0_and_1(found, metric)
    return found


def probability_of_truth(raw: Any, truth: Truth) -> Array:
    """The probability that the model gave to what was true, shape (n,); for the log loss.

    Raises:
        NoValue: the predictions are no probabilities; also where they are plain 0/1 labels.
    """
    import numpy as np

    array = _numbers(_shaped(raw, truth))
    if array.ndim == 1:
        second = probability(array, truth, "log_loss")
        if np.isin(second, (0.0, 1.0)).all():
            raise NoValue(
                "The model returned labels; log_loss needs probabilities.",
                fault="model",
                more="a model logged with pyfunc_predict_fn='predict_proba'",
            )
        return np.where(truth.codes == 1, second, 1 - second)
    _between_0_and_1(array, "log_loss")
    sums = array.sum(axis=1)
    if (np.abs(sums - 1) > SUM_TOLERANCE).any():
        raise NoValue("The class probabilities of a row do not add up to 1.", fault="model")
    codes = _column_codes(array.shape[1], truth)
    column = np.full(truth.classes.size, -1)
    column[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
    found: Array = array[np.arange(truth.rows), column[truth.codes]] / sums
    return found


def numbers(raw: Any, truth: Truth) -> Array:
    """Predicted numbers of a regression, shape (n,), float64; raises NoValue if they are none."""
    array = _numbers(_shaped(raw, truth))
    if not truth.numeric:
        raise NoValue("The truth is text; this metric needs numbers.", fault="setup")
    if array.ndim != 1:
        raise NoValue(
            f"The model returned {array.shape[1]} columns where one number is meant.", fault="model"
        )
    return array


def checked(raw: Any, truth: Truth) -> Array:
    """The predictions as a user function gets them, once their count and finiteness are known."""
    array = _shaped(raw, truth)
    values = plain(array) if array.ndim == 1 else array
    if values.dtype.kind in "fc":
        _finite(values)
    elif values.dtype.kind == "U":
        _complete(array, values)
    return array


def are_labels(raw: Any) -> bool:
    """True if the predictions are one label a row: text, or whole numbers only."""
    import numpy as np

    array = np.squeeze(np.asarray(raw))
    if array.ndim != 1:
        return False
    values = plain(array)
    return values.dtype.kind != "f" or bool((values == np.round(values)).all())


def _shaped(raw: Any, truth: Truth) -> Array:
    """As an array of n rows; one column is as good as none."""
    import numpy as np

    array = np.asarray(raw)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise NoValue(f"The predictions have shape {array.shape}; one row an input is meant.", fault="model")
    if array.shape[0] != truth.rows:
        raise NoValue(
            f"The model returned {array.shape[0]} predictions for {truth.rows} rows.", fault="model"
        )
    return array


def _numbers(array: Array) -> Array:
    values = plain(array)
    if values.dtype.kind != "f":
        raise NoValue("The model returned text where this metric needs numbers.", fault="model")
    _finite(values)
    return values


def _complete(array: Array, values: Array) -> None:
    if missing := count_missing(array, values):
        raise NoValue(f"{missing} of {array.size} predictions are missing.", fault="model")


def _finite(values: Array) -> None:
    import numpy as np

    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise NoValue(f"{bad} of {values.size} predicted values are NaN or infinite.", fault="model")


def _between_0_and_1(values: Array, metric: str) -> None:
    if values.min() < 0 or values.max() > 1:
        raise NoValue(
            f"The predictions are not between 0 and 1; {metric} needs probabilities.", fault="model"
        )


def _match(values: Array, truth: Truth) -> Array:
    """Positions among the classes, -1 for others."""
    import numpy as np

    codes = np.full(values.size, -1)
    if truth.numeric == (values.dtype.kind == "f"):
        at = np.minimum(np.searchsorted(truth.classes, values), truth.classes.size - 1)
        codes = np.where(truth.classes[at] == values, at, -1)
    if (codes < 0).all():
        raise NoValue("None of the predicted labels occurs in the truth.", fault="model")
    return codes


def _column_codes(columns: int, truth: Truth) -> Array:
    """Which class each column of probabilities stands for, shape (columns,); -1: one the truth lacks."""
    import numpy as np

    if columns == truth.classes.size:
        return np.arange(columns)
    numbered = truth.numeric and (truth.classes == np.round(truth.classes)).all()
    if numbered and truth.classes[0] >= 0 and truth.classes[-1] < columns:
        codes = np.full(columns, -1)
        codes[truth.classes.astype(np.intp)] = np.arange(truth.classes.size)
        return codes
    raise NoValue(
        f"The model returned {columns} columns, but the truth holds {truth.classes.size} classes.",
        fault="model" if columns < truth.classes.size else "setup",
        more="a holdout with every class that the model knows",
    )
