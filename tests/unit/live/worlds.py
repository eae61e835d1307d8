"""Worlds of live traffic whose truth is known, played many times at once. Seeds are fixed by the callers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlflowctl.live import rates

Array = npt.NDArray[np.float64]
ALPHA = 0.05
NAIVE_Z = 1.6448536269514722  # one-sided 5 %, for a look at a date fixed beforehand
CHUNK = 50  # plays whose bets are in memory at once


@dataclass(frozen=True)
class World:
    """Batches of requests; a look follows every batch.

    Attributes:
        batch: requests in a batch.
        share: planned, by batch.
        champion: rate by batch.
        challenger: rate by batch.
        rotating: assigned by an exact rotation (weighted round robin) instead of at random.
    """

    batch: int
    share: Array
    champion: Array
    challenger: Array
    rotating: bool = False

    @property
    def shares(self) -> Array:
        """Of the steps of the ramp."""
        return np.unique(self.share)

    def truth(self) -> Array:
        """The weighted mean difference so far, by look."""
        weight = self.share * (1 - self.share)
        return np.cumsum(weight * (self.challenger - self.champion)) / np.cumsum(weight)

    def play(self, plays: int, seed: int) -> Array:
        """Running counts as of ``rates.cells_of``, shape (plays, looks, steps, 4)."""
        random = np.random.default_rng(seed)
        size = (plays, self.share.size)
        new = random.binomial(self.batch, self.share, size)
        if self.rotating:
            turns = np.floor(np.arange(self.share.size + 1) * self.batch * self.share[0]).astype(int)
            new = np.broadcast_to(np.diff(turns), size)
        new_hits = random.binomial(new, self.challenger)
        old_hits = random.binomial(self.batch - new, self.champion)
        batches = np.stack([new_hits, new - new_hits, old_hits, self.batch - new - old_hits], axis=-1)
        of_step = self.share[:, None] == self.shares[None, :]
        return np.cumsum(batches[:, :, None, :] * of_step[None, :, :, None], axis=1).astype(np.float64)


def steady(
    requests: int, looks: int, share: float, champion: float, worse: float, rotating: bool = False
) -> World:
    """Nothing changes over time; ``worse`` is added to the challenger's rate."""
    ones = np.ones(looks)
    return World(requests // looks, share * ones, champion * ones, (champion + worse) * ones, rotating)


def ramp(requests: int, looks: int, worse: float = 0.0, swing: float = 0.0) -> World:
    """1 %, 5 %, 25 % in three equal times, while the rate of both climbs from 2 % to 10 % in waves.

    Args:
        requests: in all.
        looks: in all, a multiple of 3.
        worse: added to the challenger's rate throughout.
        swing: added at the start and taken away at the end, so that the effect itself drifts.
    """
    time = np.linspace(0, 1, looks)
    champion = 0.02 + 0.08 * time + 0.015 * np.sin(2 * math.pi * 7 * time)
    share = np.repeat([0.01, 0.05, 0.25], looks // 3)
    return World(requests // looks, share, champion, champion + worse + swing * (1 - 2 * time))


def crossed(
    world: World, cells: Array, difference: Array | float, side: int, expected: float | None = None
) -> npt.NDArray[np.bool_]:
    """Whether the bound has passed ``difference``, by play and look."""
    parts = [
        rates.log_evidence(cells[at : at + CHUNK], world.shares, difference, side, expected)
        for at in range(0, len(cells), CHUNK)
    ]
    return np.concatenate(parts) >= math.log(1 / ALPHA)


def naive(cells: Array, difference: Array | float, side: int) -> npt.NDArray[np.bool_]:
    """The same with the textbook interval for one look at pooled counts, from 100 requests of each on."""
    new_hits, new_misses, old_hits, old_misses = np.moveaxis(cells.sum(axis=2), -1, 0)
    new, old = new_hits + new_misses, old_hits + old_misses
    new_rate, old_rate = new_hits / np.maximum(new, 1), old_hits / np.maximum(old, 1)
    error = np.sqrt(
        new_rate * (1 - new_rate) / np.maximum(new, 1) + old_rate * (1 - old_rate) / np.maximum(old, 1)
    )
    enough = (np.minimum(new, old) >= 100) & (error > 0)
    found: npt.NDArray[np.bool_] = enough & (side * (new_rate - old_rate - difference) > NAIVE_Z * error)
    return found


def ever(crossings: npt.NDArray[np.bool_]) -> float:
    """Share of the plays in which it happened at any look."""
    return float(crossings.any(axis=1).mean())


def first(crossings: npt.NDArray[np.bool_], batch: int) -> Array:
    """Requests until it happened, by play; inf for never."""
    at = (crossings.argmax(axis=1) + 1.0) * batch
    return np.where(crossings.any(axis=1), at, np.inf)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def count(requests: float) -> str:
    return "not within the run" if math.isinf(requests) else f"{requests:,.0f}"
