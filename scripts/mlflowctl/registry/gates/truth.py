"""The truth of a holdout, and the one exception by which a metric says that it has no value."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


class NoValue(Exception):
    """A metric has no value here.

    Args:
        what: one sentence.
        fault: ``model`` (its predictions are at fault) or ``setup`` (policy, holdout or user function).
        more: what would give a value.
    """

    def __init__(self, what: str, *, fault: Literal["model", "setup"], more: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fault = fault
        self.more = more


@dataclass(frozen=True)
class Truth:
    """The labelled column of a holdout.

    Attributes:
        raw: as it was read; what user functions get.
        values: shape (n,), float64, or text where anything in it is text.
        classes: its distinct values, sorted; always 0 and 1 where nothing else occurs.
        codes: shape (n,), the position of each value among the classes.
    """

    raw: Array
    values: Array
    classes: Array
    codes: Array

    @property
    def rows(self) -> int:
        return int(self.codes.size)

    @property
    def numeric(self) -> bool:
        return self.values.dtype.kind == "f"

    def counts(self) -> Array:
        """Rows of each class, shape (classes,)."""
        import numpy as np

        return np.bincount(self.codes, minlength=self.classes.size)

    def two_classes(self, metric: str) -> None:
        """Raises NoValue unless exactly two classes occur."""
        seen = int((self.counts() > 0).sum())
        if seen != 2 or self.classes.size != 2:
            holds = "only one class" if seen == 1 else f"{seen} classes"
            raise NoValue(
                f"The holdout holds {holds}; {metric} needs two.",
                fault="setup",
                more=f"a holdout with two classes, or another metric than {metric}",
            )


def truth_of(raw: Any) -> Truth:
    """Read the truth.

    Args:
        raw: one value a row: numbers, booleans or text (array, list or pandas Series).

    Raises:
        NoValue: it is empty, or a value is missing or not finite.
    """
    import numpy as np

    array = np.asarray(raw)
    if array.ndim != 1 or array.size == 0:
        what = "The holdout has no rows." if array.size == 0 else "The truth is not one column."
        raise NoValue(what, fault="setup", more="a holdout with labelled rows")
    values = plain(array)
    missing = count_missing(array, values)
    if missing:
        raise NoValue(
            f"The truth is missing or not finite in {missing} of {array.size} rows of the holdout.",
            fault="setup",
            more="a holdout without gaps in the target column",
        )
    classes = np.unique(values)
    if values.dtype.kind == "f" and np.isin(classes, (0.0, 1.0)).all():
        classes = np.array([0.0, 1.0])
    return Truth(array, values, classes, np.searchsorted(classes, values))


def plain(array: Array) -> Array:
    """float64 where everything is a number, else text."""
    import numpy as np

    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind == "O" and all(isinstance(one, Real | Decimal) for one in array.flat):
        return array.astype(np.float64)
    return array.astype(str)


def count_missing(array: Array, values: Array) -> int:
    """How many entries are missing or, among numbers, not finite; ``values`` is ``plain(array)``."""
    import numpy as np
    import pandas as pd

    if values.dtype.kind == "f":
        return int((~np.isfinite(values)).sum())
    return int(np.asarray(pd.isna(array)).sum())
