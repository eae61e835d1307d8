"""Made-up worlds for the simulation of the gates, in which the true difference of a metric is known.

A world draws (truth, champion's predictions, challenger's predictions) for n rows. True values come from
closed forms or from quadrature, never from the code under test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

Array = npt.NDArray[Any]
Rows = tuple[Array, Array, Array]
World = Callable[[np.random.Generator, int], Rows]

GRID = np.linspace(-9, 9, 4001)  # of a standard normal, for quadrature
WEIGHT = norm.pdf(GRID) / norm.pdf(GRID).sum()
SPREAD = 1.5  # standard deviation of the true log-odds


def pairs(gained: float, lost: float) -> World:
    """Labels: only the challenger is right on a share ``gained`` of rows, only the champion on ``lost``."""

    def draw(random: np.random.Generator, n: int) -> Rows:
        truth = random.integers(0, 2, n)
        lot = random.random(n)
        both_wrong = lot > 0.92
        champion = np.where(both_wrong | (lot < gained), 1 - truth, truth)
        challenger = np.where(both_wrong | ((lot >= gained) & (lot < gained + lost)), 1 - truth, truth)
        return truth, champion, challenger

    return draw


def sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def loss(slope: float) -> float:
    """True log loss of a model that says sigmoid(slope x) where sigmoid(x) is true, x ~ N(0, SPREAD²)."""
    x = SPREAD * GRID
    return float(WEIGHT @ (np.logaddexp(0, slope * x) - sigmoid(x) * slope * x))


def overconfident(as_bad_as: float) -> float:
    """The slope above 1 whose log loss equals that of a slope below 1."""
    low, high = 1.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) < loss(as_bad_as) else (low, middle)
    return low


def slopes(champion: float, challenger: float, noise: float = 0.0) -> World:
    """Probabilities that are too timid (slope < 1) or too bold (> 1); both with noise of their own."""

    def draw(random: np.random.Generator, n: int) -> Rows:
        x = SPREAD * random.normal(size=n)
        truth = (random.random(n) < sigmoid(x)).astype(int)
        return (
            truth,
            sigmoid(champion * x + noise * random.normal(size=n)),
            sigmoid(challenger * x + noise * random.normal(size=n)),
        )

    return draw


def blunders(share: float, penalty: float = 6.0) -> World:
    """Numbers: the challenger errs less, but by ``penalty`` on a rare share; mean errors are equal."""

    def draw(random: np.random.Generator, n: int) -> Rows:
        truth = random.normal(size=n)
        sign = np.where(random.random(n) < 0.5, 1, -1)
        blunder = random.random(n) < share
        error = np.where(blunder, 1 + penalty * (1 - share), 1 - penalty * share)
        return truth, truth + sign, truth + sign * error

    return draw


def auc(distance: float, spread: float = 1.0) -> float:
    """True area: negatives N(0, 1), positives N(distance, spread²)."""
    return float(norm.cdf(distance / np.sqrt(1 + spread * spread)))


def binormal(
    champion: float, challenger: float, *, spread: float = 1.0, positives: float = 0.5, alike: float = 0.6
) -> World:
    """Scores of two models, correlated by ``alike``; the challenger's positives may spread differently."""

    def draw(random: np.random.Generator, n: int) -> Rows:
        truth = (random.random(n) < positives).astype(int)
        truth[:4] = (0, 1, 0, 1)
        old = random.normal(size=n)
        new = alike * old + np.sqrt(1 - alike * alike) * random.normal(size=n)
        return truth, old + champion * truth, new * np.where(truth == 1, spread, 1) + challenger * truth

    return draw


POSITIVES = 0.3


def f1(hits: float, alarms: float) -> float:
    """True F1 at rates of true and false positives."""
    right = POSITIVES * hits
    return 2 * right / (right + (1 - POSITIVES) * alarms + POSITIVES)


def precision(hits: float, alarms: float) -> float:
    """True precision."""
    return POSITIVES * hits / (POSITIVES * hits + (1 - POSITIVES) * alarms)


def alarms_for(f1_value: float, hits: float) -> float:
    """The false positive rate that gives this F1 at this true positive rate."""
    return POSITIVES * (2 * hits / f1_value - hits - 1) / (1 - POSITIVES)


def rates(champion: tuple[float, float], challenger: tuple[float, float], alike: float = 0.7) -> World:
    """Labels by (true positive rate, false positive rate); a share ``alike`` of rows shares its luck."""

    def draw(random: np.random.Generator, n: int) -> Rows:
        truth = (random.random(n) < POSITIVES).astype(int)
        luck = random.random(n)
        other = np.where(random.random(n) < alike, luck, random.random(n))
        old = luck < np.where(truth == 1, *champion)
        new = other < np.where(truth == 1, *challenger)
        return truth, old.astype(int), new.astype(int)

    return draw


def tails(scale: float = 1.0) -> World:
    """Numbers: normal errors, and errors with Laplace tails for the challenger; rmse 1 and ``scale``."""

    def draw(random: np.random.Generator, n: int) -> Rows:
        truth = 3 * random.normal(size=n)
        heavy = random.laplace(scale=scale / np.sqrt(2), size=n)
        return truth, truth + random.normal(size=n), truth + heavy

    return draw
