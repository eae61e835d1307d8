"""Latencies of one variant as counts in buckets whose edges never change.

The edges are fixed beforehand, so counts at an edge are exact however histograms were merged, and the
interval of a quantile needs no allowance beyond its ends being edges: each bucket is 2 % wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SMALLEST = 0.1  # milliseconds; what is faster counts as this
WIDTH = 1.02  # one edge over the one before
BUCKETS = 698  # up to 100 seconds; what is slower lies above the last edge

EDGES = SMALLEST * WIDTH ** np.arange(BUCKETS)


@dataclass(frozen=True)
class Histogram:
    """How many requests took at most ``EDGES[i]`` but more than the edge before.

    Attributes:
        buckets: (index, count) of the buckets that are not empty, in order; index ``BUCKETS`` is "slower
            than the last edge".
    """

    buckets: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, milliseconds: npt.NDArray[np.float64]) -> Histogram:
        """Latencies in milliseconds, shape (n,).

        Raises:
            ValueError: a latency is negative, NaN or infinite.
        """
        values = np.asarray(milliseconds, dtype=np.float64)
        if not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError("latencies must be finite and not negative")
        index, count = np.unique(np.searchsorted(EDGES, values), return_counts=True)
        return cls(tuple(zip(index.tolist(), count.tolist(), strict=True)))

    @classmethod
    def load(cls, saved: Mapping[str, int]) -> Histogram:
        """What :meth:`as_dict` wrote."""
        return cls(tuple(sorted((int(index), count) for index, count in saved.items())))

    def as_dict(self) -> dict[str, int]:
        return {str(index): count for index, count in self.buckets}

    @property
    def seen(self) -> int:
        return sum(count for _, count in self.buckets)

    def plus(self, other: Histogram) -> Histogram:
        merged = dict(self.buckets)
        for index, count in other.buckets:
            merged[index] = merged.get(index, 0) + count
        return Histogram(tuple(sorted(merged.items())))

    def at_most(self) -> npt.NDArray[np.float64]:
        """How many took at most each edge, shape (BUCKETS,)."""
        counts = np.zeros(BUCKETS + 1)
        for index, count in self.buckets:
            counts[index] = count
        found: npt.NDArray[np.float64] = np.cumsum(counts)[:-1]
        return found
