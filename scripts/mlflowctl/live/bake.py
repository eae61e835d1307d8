"""The new champion after the switch, held against its predecessor's own records.

Nothing is drawn here: one served before, the other serves now. So each has an interval of its own, valid at
every look, with half of α each, and the difference is bounded by their ends (a union bound). What changed
with the hour of the day is not told apart from what the version changed; a guardrail's margin must allow for
it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mlflowctl.live.bets import Array, bets, lower_bound
from mlflowctl.live.decide import Harm
from mlflowctl.live.histogram import Histogram
from mlflowctl.live.quantiles import NEAR_RUIN, quantile
from mlflowctl.live.sums import Counts
from mlflowctl.registry.evidence.figures import number
from mlflowctl.registry.live_policy import Live, LiveMetric
from mlflowctl.registry.verdict import GateResult, Interval, Verdict, worst
from mlflowctl.serving.records import Record

METHOD = "two confidence sequences, each exact at every look"
FAILED = 500  # an HTTP status from here on is an error


@dataclass(frozen=True)
class Reign:
    """What a champion answered: its errors and its latencies in milliseconds."""

    errors: Counts = Counts()
    latency: Histogram = Histogram()

    def plus(self, other: Reign) -> Reign:
        return Reign(self.errors.plus(other.errors), self.latency.plus(other.latency))

    def as_dict(self) -> dict[str, Any]:
        return {"errors": asdict(self.errors), "latency": self.latency.as_dict()}

    @classmethod
    def load(cls, saved: dict[str, Any]) -> Reign:
        """What :meth:`as_dict` wrote."""
        return cls(Counts(**saved["errors"]), Histogram.load(saved["latency"]))


def counted(records: Iterable[Record], version: int) -> Reign:
    """What a version answered as the champion.

    Args:
        records: of one chunk.
        version: of the champion.
    """
    own = [one for one in records if one.version == version and one.variant == "champion"]
    failed = sum(one.status >= FAILED for one in own)
    return Reign(Counts(len(own), failed), Histogram.of(np.array([one.ms for one in own], dtype=np.float64)))


def judge_bake(before: Reign, now: Reign, live: Live, alpha: float) -> tuple[Harm, tuple[GateResult, ...]]:
    """Is the new champion worse than its predecessor was, beyond the margin of a guardrail?

    Args:
        before: of the predecessor.
        now: of the new champion, since the switch.
        live: the policy's section.
        alpha: error of each bound of a difference, over all looks together.

    Returns:
        What is decided on, and each guardrail.
    """
    guardrails = [one for one in live.metrics if one.role == "guardrail" and one.source != "outcomes"]
    results = tuple(_judged(one, before, now, alpha) for one in guardrails)
    verdict = worst(one.verdict for one in results)
    telling = [one for one in results if one.verdict is verdict]
    if verdict is Verdict.PASS:
        return Harm(verdict, "no guardrail is worse than it was before the switch"), results
    return Harm(verdict, "; ".join(f"{one.name}: {one.reason}" for one in telling)), results


def _judged(metric: LiveMetric, before: Reign, now: Reign, alpha: float) -> GateResult:
    seen = before.errors.seen, now.errors.seen
    if not all(seen):
        whose = "the predecessor" if not seen[0] else "the new champion"
        return _result(metric, Verdict.INCONCLUSIVE, f"there is no record of {whose}", None)
    (was, was_low, was_high), (is_, low, high) = (_of(metric, one, alpha / 2) for one in (before, now))
    interval = Interval(is_ - was, low - was_high, high - was_low, alpha, METHOD, sum(seen))
    limit = metric.margin
    told = f"{number(is_)} after {number(was)}, surely {{}} than {number(limit)} more"
    if interval.low >= limit:
        return _result(metric, Verdict.FAIL, told.format("not less"), interval, was, is_)
    if interval.high < limit:
        return _result(metric, Verdict.PASS, told.format("less"), interval, was, is_)
    told = f"{number(is_)} after {number(was)}, which may be less or more than {number(limit)} more"
    return _result(metric, Verdict.INCONCLUSIVE, told, interval, was, is_)


def _result(
    metric: LiveMetric,
    verdict: Verdict,
    reason: str,
    interval: Interval | None,
    champion: float | None = None,
    challenger: float | None = None,
) -> GateResult:
    return GateResult(
        name=metric.name,
        kind="outcomes",
        role=metric.role,
        rule=metric.rule,
        direction=metric.direction,
        verdict=verdict,
        reason=reason,
        challenger=challenger,
        champion=champion,
        margin=metric.margin,
        interval=interval,
    )


def _of(metric: LiveMetric, reign: Reign, alpha: float) -> tuple[float, float, float]:
    """The metric of one champion: estimate, low, high."""
    if metric.source == "latency":
        found = quantile([reign.latency], np.ones(1), metric.quantile, alpha)
        return found.estimate, found.low, found.high
    return (reign.errors.mean, *rate(reign.errors, alpha))


def rate(counts: Counts, alpha: float) -> tuple[float, float]:
    """Bounds of the running mean of a rate that may drift, each erring with probability alpha at most.

    The bets of :mod:`mlflowctl.live.bets` on x = y - c, whose mean is the rate - c: against "the rate is at
    most d" the wealth is Π (1 + b x) / exp(b (d - c) n).

    Args:
        counts: requests and events.
        alpha: of each bound, over all looks together.

    Raises:
        ValueError: alpha is not within 0 to 1.
    """
    low, high = _bound(counts, alpha, 1), -_bound(counts, alpha, -1)
    return min(max(low, 0.0), counts.mean), max(min(high, 1.0), counts.mean)


def _bound(counts: Counts, alpha: float, side: int) -> float:
    family = bets()
    hit, miss = side * family.size * (1 - family.centre), -side * family.size * family.centre
    allowed = np.minimum(hit, miss) > -NEAR_RUIN
    grown = counts.hits * _log(hit) + (counts.seen - counts.hits) * _log(miss)
    # The centre moves to the other side, so that the hypothesis is about the rate itself.
    moved = np.where(allowed, grown + side * family.size * family.centre * counts.seen, -np.inf)
    return lower_bound(moved, family, float(counts.seen), alpha)


def _log(bet: Array) -> Array:
    found: Array = np.log1p(np.where(bet > -NEAR_RUIN, bet, 0.0))
    return found
