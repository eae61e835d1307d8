"""Outcomes and clients of a live test, summed anew at each look from the index.

So late outcomes, repeated rows and the order of reading need no thought: the same files and records give the
same sums, to the last digit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlflowctl.errors import MlflowctlError
from mlflowctl.live import outcome_files
from mlflowctl.live.batches import Place, Tally, count
from mlflowctl.live.index import PARTS, UNIT, Index, Rows, hashed
from mlflowctl.live.sums import Moments
from mlflowctl.live.tally import Arm, OutcomeNotes, StepTally
from mlflowctl.registry.live_policy import Live, LiveMetric
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mlflowctl.live.evidence import Evidence

MINUTE = 60.0
SAVED_EVERY = 500_000  # rows of outcomes
FIRSTS = "firsts"  # of each client its first request, by the request


@dataclass
class Sums:
    """All that an index amounts to.

    Attributes:
        tallies: requests, errors and latency of units, by step and variant.
        metrics: the outcomes, in the order of the policy.
        seconds: that the summing took; reading of new outcomes is not in it.
    """

    tallies: dict[Place, Tally] = field(default_factory=dict)
    metrics: list[MetricSums] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class MetricSums:
    """The outcomes of one metric.

    Attributes:
        metric: of the policy.
        until: units that came then or before are over.
        problem: why outcomes could not be read.
        rows: that were read.
        unusable: rows that are no outcomes.
        sums: by step and variant, of units that are over.
        ids: different ids that have an outcome.
        joined: ids that belong to a unit.
        waiting: units that are not over.
        missing: units that are over without an outcome.
        capped: outcomes outside the bounds.
        latest: minute in which the last unit came that is over and has an outcome.
        minutes: units that are over, by the minute in which they came.
    """

    metric: LiveMetric
    until: float
    problem: str = ""
    rows: int = 0
    unusable: int = 0
    sums: dict[Place, Moments] = field(default_factory=dict)
    ids: int = 0
    joined: int = 0
    waiting: int = 0
    missing: int = 0
    capped: int = 0
    latest: int | None = None
    minutes: Counter[int] = field(default_factory=Counter)

    def add(self, units: Rows, found: Rows) -> None:
        """One part.

        Args:
            units: in any order.
            found: outcomes by the hash of the request, each once, in the order of the hashes.
        """
        values = np.full(len(units), np.nan)
        if len(found):
            at = np.minimum(np.searchsorted(found["request"], units["request"]), len(found) - 1)
            values = np.where(found["request"][at] == units["request"], found["value"][at], np.nan)
        over, known = units["at"] <= self.until, ~np.isnan(values)
        self.ids, self.joined = self.ids + len(found), self.joined + int(known.sum())
        self.waiting += int((~over).sum())
        self.missing += int((over & ~known).sum())
        self._note_minutes(units["at"][over] // MINUTE, known[over])
        counted = over if self.metric.missing == "zero" else over & known
        capped = np.clip(np.nan_to_num(values), *(self.metric.bounds or (-np.inf, np.inf)))
        self.capped += int((capped != values)[over & known].sum())
        for place, here in places(units):
            old = self.sums.get(place, Moments())
            self.sums[place] = old.plus(Moments.of(capped[here & counted]))

    def _note_minutes(self, minutes: npt.NDArray[np.float64], known: npt.NDArray[np.bool_]) -> None:
        names, counts = np.unique(minutes.astype(np.int64), return_counts=True)
        self.minutes.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))
        if known.any():
            last = int(minutes[known].max())
            self.latest = last if self.latest is None else max(self.latest, last)

    def notes(self) -> OutcomeNotes:
        """For the evidence."""
        silent = sum(
            count for minute, count in self.minutes.items() if self.latest is None or minute > self.latest
        )
        return OutcomeNotes(
            rows=self.rows,
            repeated=self.rows - self.unusable - self.ids,
            unusable=self.unusable,
            unknown=self.ids - self.joined,
            waiting=self.waiting,
            missing=self.missing,
            capped=self.capped,
            silent=silent,
            problem=self.problem,
        )


def summed(live: Live, index: Index, folder: str, s3: S3Settings, now: float) -> Sums:
    """Read what is new of the outcomes, and sum all of it up.

    Outcomes that cannot be read leave their metric undecided and say why; a broken file must not keep the
    other guardrails from their work.

    Args:
        live: of the policy.
        index: of the test; the records are in it.
        folder: where relative paths start.
        s3: the store of s3:// locations.
        now: seconds since 1970 UTC.
    """
    found = Sums()
    for number, metric in enumerate(live.outcomes):
        sums = MetricSums(metric, now - MINUTE * metric.window_minutes)
        try:
            _fill(index, number, metric, folder, s3)
        except MlflowctlError as exc:
            sums.problem = f"{exc.what} {exc.next}".strip()
        sums.rows, sums.unusable = index.rows(number)
        found.metrics.append(sums)
    began = time.monotonic()
    for part, units in enumerate(_by_request(index, found, live.sticky)):
        for number, sums in enumerate(found.metrics):
            sums.add(units, index.outcomes(number, part))
    found.seconds = time.monotonic() - began
    return found


def added(evidence: Evidence, sums: Sums) -> Evidence:
    """The evidence with the outcomes of all metrics."""

    def arm(old: Arm, place: Place) -> Arm:
        return replace(
            old, outcomes={one.metric.name: one.sums.get(place, Moments()) for one in sums.metrics}
        )

    def step(one: StepTally) -> StepTally:
        arms = arm(one.champion, (one.number, 0)), arm(one.challenger, (one.number, 1))
        return StepTally(one.number, one.share, *arms)

    notes = {one.metric.name: one.notes() for one in sums.metrics}
    return replace(evidence, steps=tuple(map(step, evidence.steps)), outcomes=notes)


def places(units: Rows) -> Iterator[tuple[Place, npt.NDArray[np.bool_]]]:
    """Step and variant of the units, and which of them are there."""
    codes = 2 * units["step"].astype(np.int64) + units["variant"]
    for code in np.unique(codes).tolist():
        yield divmod(code, 2), codes == code


def _by_request(index: Index, sums: Sums, sticky: bool) -> Iterator[Rows]:
    """The units, part by part of their requests; clients are counted on the way."""
    if not sticky:
        for part in range(PARTS):
            yield index.units(part)
        return
    index.drop(FIRSTS)
    for part in range(PARTS):
        units = index.units(part)
        count(sums.tallies, units["step"], units["variant"], units["error"], units["bucket"])
        if sums.metrics:
            index.append(FIRSTS, units, units["request"])
    for part in range(PARTS):
        yield index.part(FIRSTS, part, UNIT)
    index.drop(FIRSTS)


def _fill(index: Index, number: int, metric: LiveMetric, folder: str, s3: S3Settings) -> None:
    """Files that are new or were changed go into the index."""
    new = [
        one
        for one in outcome_files.found(metric.data, folder, s3)
        if index.mark(number, one.name) != one.mark
    ]
    problem: MlflowctlError | None = None
    while new:
        with index.saved():
            read = 0
            while new and read < SAVED_EVERY:
                try:
                    read += _read(index, number, metric, new.pop(0))
                except MlflowctlError as exc:
                    problem = problem or exc
    if problem is not None:
        raise problem


def _read(index: Index, number: int, metric: LiveMetric, file: outcome_files.File) -> int:
    rows = unusable = 0
    with index.whole():
        for ids, values in outcome_files.pieces(file, metric.id_column, metric.value_column):
            good = np.isfinite(values) & np.array([bool(one) for one in ids], dtype=bool)
            kept = [one for one, is_good in zip(ids, good.tolist(), strict=True) if is_good]
            index.put(number, hashed(kept), values[good])
            rows, unusable = rows + len(ids), unusable + len(ids) - len(kept)
    index.read(number, file.name, file.mark, rows, unusable)
    return rows
