"""What the simulation of the gates plays through: which metric, in which world, with which true state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mlflowctl.registry.gates.judge import judge_holdout, judge_outcomes, spend
from mlflowctl.registry.policy import Business, Metric
from mlflowctl.registry.verdict import GateResult, Verdict, worst
from tests.benchmarks import gates_worlds as worlds
from tests.benchmarks.gates_worlds import World

ALPHA = 0.05
Draw = Callable[[np.random.Generator, int], worlds.Array]
Play = Callable[[np.random.Generator], tuple[bool, bool]]  # did the gate pass, did the naive rule


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        part: ``a`` (not better), ``b`` (worse by the margin), ``c`` (better: power), ``limit`` (known limit).
        what: metric and true state.
        size: rows or outcomes.
        plays: how often, in a full run.
        play: once.
    """

    part: str
    what: str
    size: str
    plays: int
    play: Play

    @property
    def bounded(self) -> bool:
        return self.part in ("a", "b")


def superior(function: str, direction: str = "higher") -> Metric:
    return Metric(function, direction, "primary", "superior", function=function)  # type: ignore[arg-type]


def guardrail(function: str, margin: float, direction: str = "higher") -> Metric:
    return Metric(function, direction, "guardrail", "non-inferior", margin, function=function)  # type: ignore[arg-type]


def naive(metric: Metric, result: GateResult) -> bool:
    """The point estimates alone: at least as good as the champion, or worse by no more than the margin."""
    assert result.challenger is not None
    assert result.champion is not None
    edge = 0.0 if metric.rule == "superior" else -metric.margin
    return metric.sign * (result.challenger - result.champion) >= edge


def holdout(metrics: list[Metric], world: World, rows: int) -> Play:
    """One challenger on one holdout; every metric must pass."""

    def play(random: np.random.Generator) -> tuple[bool, bool]:
        truth, champion, challenger = world(random, rows)
        found = [judge_holdout(one, truth, champion, challenger, ALPHA, 0) for one in metrics]
        simple = all(naive(one, result) for one, result in zip(metrics, found, strict=True))
        return worst(result.verdict for result in found) is Verdict.PASS, simple

    return play


def several(metric: Metric, world: World, rows: int, challengers: int) -> Play:
    """Equal challengers, one after another, on the same holdout: does any pass?"""

    def play(random: np.random.Generator) -> tuple[bool, bool]:
        truth, champion, _ = world(random, rows)
        passed = simple = False
        for look in range(1, challengers + 1):
            lucky = random.permutation(rows)[: rows // 10]
            challenger = champion.copy()
            challenger[lucky] = np.where(random.random(lucky.size) < 0.5, truth[lucky], 1 - truth[lucky])
            result = judge_holdout(metric, truth, champion, challenger, spend(ALPHA, look), 0)
            passed |= result.verdict is Verdict.PASS
            simple |= naive(metric, result)
        return passed, simple

    return play


def coin(random: np.random.Generator, n: int) -> worlds.Rows:
    """A champion that guesses, so that a challenger that guesses anew on some rows is exactly as good."""
    return random.integers(0, 2, n), random.integers(0, 2, n), np.empty(0)


def coins(probability: float) -> Draw:
    """Outcomes 0 and 1."""
    return lambda random, n: (random.random(n) < probability).astype(float)


def costs(random: np.random.Generator, n: int) -> worlds.Array:
    """Skewed outcomes: nine in ten are 0, the others lognormal."""
    return np.where(random.random(n) < 0.1, random.lognormal(sigma=1.0, size=n), 0.0)


def daily(metric: Business, champion: Draw, challenger: Draw, requests: int, days: int = 14) -> Play:
    """Outcomes with 5 % of the traffic on the challenger, looked at every day: does it ever pass?"""

    def play(random: np.random.Generator) -> tuple[bool, bool]:
        share = requests // 20
        old = champion(random, (requests - share) * days)
        new = challenger(random, share * days)
        passed = simple = False
        for day in range(1, days + 1):
            result = judge_outcomes(metric, old[: (requests - share) * day], new[: share * day], ALPHA)
            passed |= result.verdict is Verdict.PASS
            simple |= result.interval is not None and naive(metric, result)
        return passed, simple

    return play


def outcome(rule: str, margin: float = 0.0, direction: str = "higher") -> Business:
    return Business("outcome", direction, "primary", rule, margin, source="outcomes")  # type: ignore[arg-type]


def cases(sizes: tuple[int, ...]) -> Iterator[Case]:
    """All rows of the table, at these numbers of holdout rows."""
    for n in sizes:
        rows = f"{n:,} rows"
        for part, what, metrics, world, plays in _holdouts():
            yield Case(part, what, rows, plays, holdout(metrics, world, n))
    yield Case(
        "a",
        "accuracy, 5 equal challengers on one holdout",
        "1,000 rows",
        2000,
        several(superior("accuracy"), coin, 1000, 5),
    )
    yield Case(
        "a",
        "f1, 5 equal challengers on one holdout",
        "1,000 rows",
        600,
        several(superior("f1"), coin, 1000, 5),
    )
    ranked = holdout([superior("average_precision")], worlds.binormal(1.2, 1.2, positives=0.3), 200)
    yield Case("a", "average_precision: equal", "200 rows", 600, ranked)
    yield Case(
        "limit",
        "mae: equal, a blunder in 1 % of the rows",
        "200 rows",
        2000,
        holdout([superior("mae", "lower")], worlds.blunders(0.01), 200),
    )
    yield from _outcomes()


def _holdouts() -> Iterator[tuple[str, str, list[Metric], World, int]]:
    accuracy, log_loss, f1 = superior("accuracy"), superior("log_loss", "lower"), superior("f1")
    yield "a", "accuracy: equal, 10 % of rows differ", [accuracy], worlds.pairs(0.05, 0.05), 4000
    yield "a", "accuracy: 1 pt worse", [accuracy], worlds.pairs(0.04, 0.05), 2000
    yield (
        "b",
        "accuracy: worse by the margin 0.02, nothing gained",
        [guardrail("accuracy", 0.02)],
        worlds.pairs(0, 0.02),
        4000,
    )
    yield (
        "b",
        "accuracy: worse by the margin 0.02",
        [guardrail("accuracy", 0.02)],
        worlds.pairs(0.04, 0.06),
        4000,
    )
    yield "c", "accuracy: 3 pt better", [accuracy], worlds.pairs(0.06, 0.03), 2000

    bold = worlds.overconfident(0.4)
    gap = worlds.loss(2.0) - worlds.loss(1.0)
    yield "a", "log_loss: equal, alike", [log_loss], worlds.slopes(1, 1, 0.5), 4000
    yield "a", "log_loss: equal, the challenger overconfident", [log_loss], worlds.slopes(0.4, bold), 4000
    yield (
        "b",
        f"log_loss: worse by the margin {gap:.3f}, overconfident",
        [guardrail("log_loss", gap, "lower")],
        worlds.slopes(1, 2),
        4000,
    )
    yield "c", "log_loss: 0.02 better", [log_loss], worlds.slopes(0.55, 1), 2000
    yield (
        "a",
        "mae: equal, a blunder in 3 % of the rows",
        [superior("mae", "lower")],
        worlds.blunders(0.03),
        4000,
    )

    auc = superior("roc_auc")
    wide = 1.2 * np.sqrt((1 + 1.5**2) / 2)
    drop = worlds.auc(1.2) - worlds.auc(1.0)
    yield "a", "roc_auc: equal", [auc], worlds.binormal(1.2, 1.2), 3000
    yield (
        "a",
        "roc_auc: equal, another curve, 10 % positives",
        [auc],
        worlds.binormal(1.2, wide, spread=1.5, positives=0.1),
        3000,
    )
    yield (
        "b",
        f"roc_auc: worse by the margin {drop:.3f}",
        [guardrail("roc_auc", drop)],
        worlds.binormal(1.2, 1.0, positives=0.2),
        3000,
    )
    yield "c", "roc_auc: 0.031 better", [auc], worlds.binormal(1.2, 1.4), 2000

    old, new = (0.8, 0.1), (0.9, worlds.alarms_for(worlds.f1(0.8, 0.1), 0.9))
    less = worlds.f1(0.8, 0.1) - worlds.f1(0.76, 0.12)
    yield "a", "f1: equal, other hits and alarms", [f1], worlds.rates(old, new), 1500
    yield (
        "b",
        f"f1: worse by the margin {less:.3f}",
        [guardrail("f1", less)],
        worlds.rates(old, (0.76, 0.12)),
        1500,
    )
    yield "c", "f1: 0.046 better", [f1], worlds.rates(old, (0.85, 0.08)), 1000
    yield "a", "rmse: equal, heavier tails", [superior("rmse", "lower")], worlds.tails(), 4000

    lost = worlds.precision(0.8, 0.1) - worlds.precision(0.9, 0.15)
    both = [superior("recall"), guardrail("precision", lost)]
    yield (
        "b",
        f"recall better, precision worse by its margin {lost:.3f}",
        both,
        worlds.rates(old, (0.9, 0.15)),
        1500,
    )


def _outcomes() -> Iterator[Case]:
    better, no_worse = outcome("superior"), outcome("non-inferior", 0.01)
    errors, cheaper = outcome("non-inferior", 0.01, "lower"), outcome("superior", 0.0, "lower")
    usual = coins(0.9)
    for part, what, metric, champion, challenger in (
        ("a", "outcomes 0.90: equal", better, usual, usual),
        ("a", "skewed costs: equal", cheaper, costs, costs),
        ("b", "outcomes 0.90: worse by the margin 0.01", no_worse, usual, coins(0.89)),
        ("b", "error rate 0.01: worse by the margin 0.01", errors, coins(0.01), coins(0.02)),
        ("c", "outcomes 0.90: 2 pt better", better, usual, coins(0.92)),
        ("c", "outcomes 0.90: equal, margin 0.01", no_worse, usual, usual),
    ):
        for requests, plays in ((2000, 2000), (20_000, 500)):
            often = plays if part != "c" else plays // 2
            play = daily(metric, champion, challenger, requests)
            yield Case(part, what, f"14 days of {requests:,}", often, play)
