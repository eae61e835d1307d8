"""Outcomes of live traffic, sorted by the version that answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflowctl.errors import UsageError
from mlflowctl.registry.gates.data import Table, columns
from mlflowctl.registry.policy import Business

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]


def outcome_arms(
    metric: Business, table: Table, assignments: Table | None, champion: int | None, challenger: int
) -> tuple[Numbers | None, Numbers]:
    """The outcomes of the champion (None without one) and of the challenger, shape (n,) each.

    Of several rows with the same id the first counts, in both files. Outcomes of other versions, or
    without an assignment, are left out.

    Args:
        metric: names the columns.
        table: the outcomes.
        assignments: which version answered which id; None if the outcomes say it themselves.
        champion: version number.
        challenger: version number.

    Raises:
        UsageError: a column is missing, an id is empty, or an outcome is no finite number.
    """
    outcomes = _by_id(table, metric.id_column)
    values = _numbers(table, outcomes, metric.value_column)
    if assignments is None:
        columns(table, metric.version_column)
        versions = outcomes[metric.version_column]
    else:
        columns(assignments, metric.version_column)
        assigned = _by_id(assignments, metric.id_column)
        by_id = dict(zip(_ids(assigned, metric), assigned[metric.version_column], strict=True))
        versions = _ids(outcomes, metric).map(by_id)
    numbers = _version_numbers(versions)
    chosen = values[(numbers == challenger).to_numpy()]
    return None if champion is None else values[(numbers == champion).to_numpy()], chosen


def _by_id(table: Table, column: str) -> Any:
    """The first row of each id."""
    columns(table, column)
    empty = table.frame[column].isna()
    if empty.any():
        raise _bad(table, f"row {int(empty.to_numpy().argmax()) + 1} has no {column!r}")
    return table.frame.drop_duplicates(subset=column, keep="first")


def _ids(frame: Any, metric: Business) -> Any:
    """Ids as text, so that 7 in one file meets "7" in the other."""
    return frame[metric.id_column].astype(str)


def _numbers(table: Table, frame: Any, column: str) -> Numbers:
    import numpy as np
    import pandas as pd

    columns(table, column)
    found: Numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(found)
    if bad.any():
        at = int(bad.argmax())
        row, value = int(frame.index[at]) + 1, frame[column].iloc[at]
        raise _bad(table, f"{column!r} in row {row} is {value!r}, not a finite number")
    return found


def _version_numbers(versions: Any) -> Any:
    """3, 3.0, "3" and "v3" all mean version 3."""
    import pandas as pd

    text = versions.astype(str).str.strip().str.lower().str.removeprefix("v")
    return pd.to_numeric(text, errors="coerce")


def _bad(table: Table, what: str) -> UsageError:
    return UsageError(
        f"The outcomes {table.location} cannot be used: {what}.",
        state="Nothing was judged or changed.",
        next="Mend the file, then repeat the command.",
    )
