"""Outcomes of a live test: each counted request, when its window is over, with what is known then.

They are summed anew at each look, from the index. So late outcomes, repeated rows and the order of reading
need no thought: the same files and records give the same sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlflowctl.errors import MlflowctlError
from mlflowctl.live import outcome_files
from mlflowctl.live.index import Index, hashed
from mlflowctl.live.sums import Moments
from mlflowctl.live.tally import Arm, OutcomeNotes, StepTally
from mlflowctl.registry.live_policy import Live, LiveMetric
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mlflowctl.live.evidence import Evidence

Sums = dict[tuple[int, int], Moments]


def added(evidence: Evidence, live: Live, index: Index, folder: str, s3: S3Settings, now: float) -> Evidence:
    """The evidence with the outcomes of all metrics.

    Outcomes that cannot be read leave their metric undecided and say why; a broken file must not keep the
    other guardrails from their work.

    Args:
        evidence: the records are counted, and in the index.
        live: of the policy.
        index: of the test.
        folder: where relative paths start.
        s3: the store of s3:// locations.
        now: seconds since 1970 UTC.
    """
    steps, notes = {one.number: one for one in evidence.steps}, {}
    for number, metric in enumerate(live.outcomes):
        problem = ""
        try:
            _fill(index, number, metric, folder, s3)
        except MlflowctlError as exc:
            problem = f"{exc.what} {exc.next}".strip()
        sums, counted = _summed(index, number, metric, live.sticky, now)
        notes[metric.name] = replace(counted, problem=problem)
        steps = _with(steps, metric.name, sums)
    return replace(evidence, steps=tuple(steps.values()), outcomes=notes)


def _fill(index: Index, number: int, metric: LiveMetric, folder: str, s3: S3Settings) -> None:
    """Files that are new or were changed go into the index."""
    for file in outcome_files.found(metric.data, folder, s3):
        if index.mark(number, file.name) == file.mark:
            continue
        rows = unusable = 0
        for ids, values in outcome_files.pieces(file, metric.id_column, metric.value_column):
            good = np.isfinite(values) & np.array([bool(one) for one in ids], dtype=bool)
            kept = [one for one, is_good in zip(ids, good.tolist(), strict=True) if is_good]
            with index.saved():
                index.put(number, hashed(kept), values[good].tolist())
            rows, unusable = rows + len(ids), unusable + len(ids) - len(kept)
        with index.saved():
            index.read(number, file.name, file.mark, rows, unusable)


def _summed(
    index: Index, number: int, metric: LiveMetric, sticky: bool, now: float
) -> tuple[Sums, OutcomeNotes]:
    until = now - 60 * metric.window_minutes
    matched = _Matched(metric)
    for rows in index.outcomes(number, sticky):
        matched.add(np.array(rows, dtype=np.float64), until)
    due = index.due(until)
    over, counted = sum(due.values()), sum(one.seen for one in matched.sums.values())
    if metric.missing == "zero":
        for place, count in due.items():
            known = matched.sums.get(place, Moments())
            matched.sums[place] = known.plus(Moments(count - known.seen))
    rows_read, unusable, ids = index.rows(number)
    return matched.sums, OutcomeNotes(
        rows=rows_read,
        repeated=rows_read - unusable - ids,
        unusable=unusable,
        unknown=ids - matched.ids,
        waiting=index.size() - over,
        missing=over - counted,
        capped=matched.capped,
        silent=index.since(matched.latest, until) if counted else over,
    )


@dataclass
class _Matched:
    """Outcomes that belong to a request of the test.

    Attributes:
        sums: by step and variant, of requests whose window is over.
        ids: how many outcomes there are, whether or not their window is over.
        capped: outside the bounds.
        latest: when the last request with an outcome came whose window is over.
    """

    metric: LiveMetric
    sums: Sums = field(default_factory=dict)
    ids: int = 0
    capped: int = 0
    latest: float = -np.inf

    def add(self, rows: npt.NDArray[np.float64], until: float) -> None:
        """Rows of step, variant, outcome and time."""
        self.ids += len(rows)
        over = rows[rows[:, 3] <= until]
        if not len(over):
            return
        values = np.clip(over[:, 2], *(self.metric.bounds or (-np.inf, np.inf)))
        self.capped += int((values != over[:, 2]).sum())
        self.latest = max(self.latest, float(over[:, 3].max()))
        for step, variant in np.unique(over[:, :2], axis=0).astype(int).tolist():
            here = (over[:, 0] == step) & (over[:, 1] == variant)
            old = self.sums.get((step, variant), Moments())
            self.sums[step, variant] = old.plus(Moments.of(values[here]))


def _with(steps: Mapping[int, StepTally], name: str, sums: Sums) -> dict[int, StepTally]:
    def arm(old: Arm, place: tuple[int, int]) -> Arm:
        return replace(old, outcomes={**old.outcomes, name: sums.get(place, Moments())})

    return {
        number: replace(
            one, champion=arm(one.champion, (number, 0)), challenger=arm(one.challenger, (number, 1))
        )
        for number, one in steps.items()
    }
