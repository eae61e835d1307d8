"""The records of a chunk as columns, and the counts that they add to."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mlflowctl.live.histogram import BUCKETS, EDGES, Histogram
from mlflowctl.live.index import UNIT, Rows, hashed
from mlflowctl.live.sums import Counts
from mlflowctl.live.tally import Arm
from mlflowctl.serving.records import Record

UNREADABLE = (ValueError, TypeError, EOFError, OSError, zlib.error)  # of a chunk that was fetched

Place = tuple[int, int]  # step and variant, 0 for the champion
Numbers = npt.NDArray[np.int64]


def failed(status: int) -> bool:
    """Whether an answer counts as an error.

    4xx too: MLflow's scoring server answers 400 when the model raises, and what clients do wrong by
    themselves both variants get alike.
    """
    return not 200 <= status < 400


@dataclass
class Tally:
    """Counts of one variant in one step."""

    failed: int = 0
    buckets: Numbers = field(default_factory=lambda: np.zeros(BUCKETS + 1, dtype=np.int64))

    def arm(self) -> Arm:
        filled = np.flatnonzero(self.buckets)
        histogram = Histogram(tuple(zip(filled.tolist(), self.buckets[filled].tolist(), strict=True)))
        return Arm(Counts(histogram.seen, self.failed), histogram)


@dataclass
class Reading:
    """What one look adds."""

    tallies: dict[Place, Tally] = field(default_factory=dict)
    ignored: int = 0
    damaged: int = 0
    first: float = np.inf
    last: float = -np.inf

    def add(self, batch: Batch) -> None:
        self.ignored += batch.ignored
        self.first = min([self.first, *(one.at for one in batch.kept)])
        self.last = max([self.last, *(one.at for one in batch.kept)])
        for place in set(batch.places):
            here = np.fromiter((one == place for one in batch.places), dtype=bool)
            tally = self.tallies.setdefault(place, Tally())
            tally.failed += int(batch.failed[here].sum())
            tally.buckets += np.bincount(batch.buckets[here], minlength=BUCKETS + 1)


@dataclass
class Batch:
    """The records of a chunk that belong to the test."""

    kept: list[Record]
    places: list[Place]
    ignored: int

    def __post_init__(self) -> None:
        self.failed = np.fromiter((failed(one.status) for one in self.kept), dtype=np.int64)
        self.buckets = np.searchsorted(EDGES, np.fromiter((one.ms for one in self.kept), dtype=np.float64))

    def units(self, sticky: bool) -> Rows:
        """What the index keeps: each request, or each client's."""
        rows = np.empty(len(self.kept), dtype=UNIT)
        rows["request"] = hashed([one.request for one in self.kept])
        rows["unit"] = rows["request"]
        if sticky:
            # Who has no name is somebody else each time.
            names = [f"client {one.client}" if one.client else f"request {one.request}" for one in self.kept]
            rows["unit"] = hashed(names)
        rows["at"] = [one.at for one in self.kept]
        rows["step"] = [step for step, _ in self.places]
        rows["variant"] = [variant for _, variant in self.places]
        rows["error"], rows["bucket"] = self.failed, self.buckets
        return rows
