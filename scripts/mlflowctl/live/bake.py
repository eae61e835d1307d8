"""The new champion after the switch, held against its predecessor's own records.

Nothing is drawn here: one served before, the other serves now. So each has an interval of its own, valid at
every look, with half of α each, and the difference is bounded by their ends (a union bound). What changed
with the hour of the day is not told apart from what the version changed; a guardrail's margin must allow for
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from mlflowctl.live.batches import UNREADABLE, arm_of
from mlflowctl.live.bets import Array, bets, lower_bound
from mlflowctl.live.quantiles import NEAR_RUIN, quantile
from mlflowctl.live.sight import Harm
from mlflowctl.live.sums import Counts
from mlflowctl.live.tally import Arm
from mlflowctl.registry.evidence.figures import number
from mlflowctl.registry.live_policy import Live, LiveMetric
from mlflowctl.registry.verdict import GateResult, Interval, Verdict, worst
from mlflowctl.serving import records
from mlflowctl.serving.records import Record

if TYPE_CHECKING:
    from mlflowctl.live.evidence import Evidence
    from mlflowctl.registry.objects import Objects

METHOD = "two confidence sequences, each exact at every look"


@dataclass(frozen=True)
class Bake:
    """What baking has read so far.

    Attributes:
        before: what the predecessor answered during the test.
        now: what the new champion answered since the switch.
        cursor: gateway → the last chunk that is in ``now``.
    """

    before: Arm
    now: Arm = field(default_factory=Arm)
    cursor: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, evidence: Evidence, cursor: Mapping[str, int]) -> Bake:
        """Before any record of the new champion.

        Args:
            evidence: of the whole test.
            cursor: gateway → a chunk from before the switch.
        """
        before = reduce(_plus, (one.champion for one in evidence.steps), Arm())
        return cls(before, cursor=dict(cursor))

    def gather(self, objects: Objects, model: str, champion: int) -> Bake:
        """With the records that are new.

        Args:
            objects: the registry bucket.
            model: name of the registered model.
            champion: the new one's version.
        """
        now, cursor = self.now, dict(self.cursor)
        for gateway, sequence in records.chunks(objects, model, self.cursor):
            with suppress(*UNREADABLE):  # a damaged chunk will never be better
                now = _plus(now, counted(records.read_chunk(objects, model, gateway, sequence), champion))
            cursor[gateway] = sequence
        return Bake(self.before, now, cursor)

    def as_dict(self) -> dict[str, Any]:
        return {"before": self.before.as_dict(), "now": self.now.as_dict(), "cursor": dict(self.cursor)}

    @classmethod
    def load(cls, saved: dict[str, Any]) -> Bake:
        """What :meth:`as_dict` wrote."""
        return cls(Arm.load(saved["before"]), Arm.load(saved["now"]), saved["cursor"])


def _plus(one: Arm, other: Arm) -> Arm:
    return Arm(one.errors.plus(other.errors), one.latency.plus(other.latency))


def counted(answered: Iterable[Record], version: int) -> Arm:
    """What a version answered as the champion.

    Args:
        answered: records of one chunk.
        version: of the champion.
    """
    return arm_of([one for one in answered if one.version == version and one.variant == "champion"])


def judge_bake(before: Arm, now: Arm, live: Live, alpha: float) -> tuple[Harm, tuple[GateResult, ...]]:
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


def _judged(metric: LiveMetric, before: Arm, now: Arm, alpha: float) -> GateResult:
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


def _of(metric: LiveMetric, reign: Arm, alpha: float) -> tuple[float, float, float]:
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
