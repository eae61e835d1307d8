"""What is kept of the records: a few sums per variant and step of the ramp, which merge by addition.

All of it is frozen, compares equal and turns into plain JSON, so ten million records are as small as ten.
The intervals are functions of these sums alone, not of the order of looks: late records are merged in later,
and a controller that was killed continues from the last sums that were written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Counts:
    """Requests of one variant, and how many of them had the event (an error, a conversion).

    Raises:
        ValueError: unless 0 <= hits <= seen.
    """

    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.seen:
            raise ValueError(f"{self.hits} of {self.seen} requests is no count")

    @property
    def mean(self) -> float:
        return self.hits / self.seen if self.seen else 0.0

    def plus(self, other: Counts) -> Counts:
        return Counts(self.seen + other.seen, self.hits + other.hits)


@dataclass(frozen=True)
class Moments:
    """Outcomes of one variant: their number, mean and centred powers.

    Merging is by Pébay's formulas (2008, "Formulas for robust, one-pass parallel computation of covariances
    and arbitrary-order statistical moments"), which do not lose digits when the mean is far from 0.

    Attributes:
        seen: number of outcomes.
        mean: in the outcome's unit.
        squares: sum of (y - mean)².
        cubes: sum of (y - mean)³.
    """

    seen: int = 0
    mean: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0

    @classmethod
    def of(cls, values: Array) -> Moments:
        """The moments of some outcomes, shape (n,).

        Raises:
            ValueError: an outcome is NaN or infinite.
        """
        import numpy as np

        numbers = np.asarray(values, dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise ValueError("outcomes must be finite numbers")
        if numbers.size == 0:
            return cls()
        mean = float(numbers.mean())
        centred = numbers - mean
        powers = centred * centred
        return cls(int(numbers.size), mean, float(powers.sum()), float((powers * centred).sum()))

    def plus(self, other: Moments) -> Moments:
        if self.seen == 0 or other.seen == 0:
            return other if self.seen == 0 else self
        total = self.seen + other.seen
        gap, mine, theirs = other.mean - self.mean, self.seen / total, other.seen / total
        both = gap * gap * self.seen * theirs
        squares = self.squares + other.squares + both
        skewed = both * gap * (mine - theirs) + 3 * gap * (mine * other.squares - theirs * self.squares)
        return Moments(total, self.mean + gap * theirs, squares, self.cubes + other.cubes + skewed)


Sums = TypeVar("Sums", Counts, Moments)


@dataclass(frozen=True)
class Step(Generic[Sums]):
    """One step of the ramp: a planned share, and what each variant answered while it held.

    Attributes:
        number: of the step; pieces with the same number merge. A new share is a new step.
        share: planned share of the challenger, above 0 and below 1.

    Raises:
        ValueError: the share is not between 0 and 1.
    """

    number: int
    share: float
    champion: Sums
    challenger: Sums

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(
                f"the challenger's share in step {self.number} is {self.share}, not within 0 to 1"
            )

    @property
    def seen(self) -> int:
        return self.champion.seen + self.challenger.seen

    @property
    def information(self) -> float:
        """What the step weighs: requests × share × (1 - share)."""
        return self.seen * self.share * (1 - self.share)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def merged(pieces: Iterable[Step[Sums]]) -> tuple[Step[Sums], ...]:
    """Pieces of evidence as one step per number, in order; the order of the pieces does not matter.

    Raises:
        ValueError: two pieces of one step have different shares.
    """
    steps: dict[int, Step[Sums]] = {}
    for piece in pieces:
        known = steps.get(piece.number)
        if known is None:
            steps[piece.number] = piece
        elif not math.isclose(known.share, piece.share, rel_tol=1e-12):
            raise ValueError(f"step {piece.number} has two shares, {known.share} and {piece.share}")
        else:
            champion, challenger = (
                known.champion.plus(piece.champion),
                known.challenger.plus(piece.challenger),
            )
            steps[piece.number] = Step(piece.number, known.share, champion, challenger)
    return tuple(steps[number] for number in sorted(steps))


def rate_step(saved: dict[str, Any]) -> Step[Counts]:
    """The step that ``as_dict`` wrote."""
    return Step(saved["number"], saved["share"], Counts(**saved["champion"]), Counts(**saved["challenger"]))


def mean_step(saved: dict[str, Any]) -> Step[Moments]:
    """The step that ``as_dict`` wrote."""
    return Step(saved["number"], saved["share"], Moments(**saved["champion"]), Moments(**saved["challenger"]))


def seen_by(steps: Iterable[Step[Sums]]) -> tuple[int, int]:
    """Records of the champion and of the challenger over all steps."""
    kept = tuple(steps)
    return sum(step.champion.seen for step in kept), sum(step.challenger.seen for step in kept)


def weighted_means(steps: Iterable[Step[Sums]]) -> tuple[float, float]:
    """Mean of the champion and of the challenger, each step weighing what it weighs in the interval.

    Steps in which a variant has no record yet are left out; (0, 0) without any step.
    """
    both = [step for step in steps if step.champion.seen and step.challenger.seen]
    weight = math.fsum(step.information for step in both)
    if weight == 0:
        return 0.0, 0.0
    champion = math.fsum(step.information * step.champion.mean for step in both) / weight
    return champion, math.fsum(step.information * step.challenger.mean for step in both) / weight
