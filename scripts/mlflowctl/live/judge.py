"""The verdict of live evidence: pass, fail or inconclusive per metric, and one for all of them.

The same rules as offline (docs/gates.md), held against intervals that may be looked at every minute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlflowctl.live.means import bounded_difference, unbounded_difference
from mlflowctl.live.mismatch import Mismatch
from mlflowctl.live.quantiles import Latency, each_quantile, quantile_difference
from mlflowctl.live.rates import rate_difference
from mlflowctl.live.sums import Counts, Moments, Step, seen_by, weighted_means
from mlflowctl.registry.gates import wording
from mlflowctl.registry.policy import Metric
from mlflowctl.registry.verdict import GateResult, Interval, Verdict, worst


@dataclass(frozen=True)
class Terms:
    """What the policy asks of live evidence.

    Attributes:
        alpha: chance, at most, that one bound is ever wrong, over all looks.
        mismatch_alpha: chance of ever refusing sound evidence because of its shares.
        minimum: records of each variant before a metric may pass. A fail needs no minimum: the exact
            intervals hold from the first request, and harm must not wait.
    """

    alpha: float = 0.05
    mismatch_alpha: float = 0.001
    minimum: int = 1000


@dataclass(frozen=True)
class LiveVerdict:
    """All metrics together.

    Attributes:
        verdict: pass only if every metric passes and the shares are as planned.
        reason: why, in one or two sentences.
        abort: guardrails that are harmed beyond their margin; empty while the evidence is refused.
        results: of each metric, also when the evidence is refused.
        mismatch: how the shares compare with the plan.
    """

    verdict: Verdict
    reason: str
    abort: tuple[str, ...]
    results: tuple[GateResult, ...]
    mismatch: Mismatch


def judge_rate(
    metric: Metric, steps: Sequence[Step[Counts]], terms: Terms, expected: float | None = None
) -> GateResult:
    """Judge a rate: errors, conversions. ``expected`` as in :func:`~mlflowctl.live.rates.rate_difference`."""
    interval = rate_difference(steps, terms.alpha, expected)
    return _judged(metric, interval, weighted_means(steps), seen_by(steps), terms)


def judge_mean(
    metric: Metric,
    steps: Sequence[Step[Moments]],
    terms: Terms,
    bounds: tuple[float, float] | None,
    expected: float | None = None,
) -> GateResult:
    """Judge a mean business outcome.

    Args:
        metric: of the policy.
        steps: the outcomes by step.
        terms: of the policy.
        bounds: between which every outcome lies; None for no bounds, which needs many outcomes and assumes
            that no few of them outweigh the rest.
        expected: the champion's mean as known before, for bounded outcomes.

    Raises:
        ValueError: outcomes that do not lie within the bounds.
    """
    if bounds is None:
        interval = unbounded_difference(steps, terms.alpha)
    else:
        interval = bounded_difference(steps, terms.alpha, *bounds, expected)
    return _judged(metric, interval, weighted_means(steps), seen_by(steps), terms)


def judge_latency(metric: Metric, steps: Sequence[Latency], level: float, terms: Terms) -> GateResult:
    """Judge a quantile of latency in milliseconds, e.g. ``level`` 0.95."""
    interval = quantile_difference(steps, level, terms.alpha)
    seen = sum(one.champion.seen for one in steps), sum(one.challenger.seen for one in steps)
    values = 0.0, 0.0
    if interval is not None:
        old, new = each_quantile(steps, level, terms.alpha / 2)
        values = old.estimate, new.estimate
    return _judged(metric, interval, values, seen, terms)


def combined(results: Sequence[GateResult], shares: Mismatch) -> LiveVerdict:
    """One verdict: a mismatch of the shares refuses all evidence, else the worst of the metrics.

    Args:
        results: one a metric.
        shares: of all assigned requests (:func:`mlflowctl.live.mismatch.mismatch`).

    Raises:
        ValueError: no metric at all; nothing must not pass.
    """
    if not results:
        raise ValueError("there is no metric to judge")
    if shares.found:
        return LiveVerdict(Verdict.INCONCLUSIVE, shares.reason, (), tuple(results), shares)
    verdict = worst(one.verdict for one in results)
    harmed = tuple(one.name for one in results if one.role == "guardrail" and one.verdict is Verdict.FAIL)
    telling = [one for one in results if one.verdict is verdict]
    reason = "Every metric passes."
    if verdict is not Verdict.PASS:
        reason = " ".join(f"{one.name}: {one.reason}" for one in telling)
    return LiveVerdict(verdict, reason, harmed, tuple(results), shares)


def _judged(
    metric: Metric,
    interval: Interval | None,
    values: tuple[float, float],
    seen: tuple[int, int],
    terms: Terms,
) -> GateResult:
    verdict, reason, more = _decided(metric, interval, min(seen), terms)
    champion, challenger = values
    return GateResult(
        name=metric.name,
        kind="outcomes",
        role=metric.role,
        rule=metric.rule,
        direction=metric.direction,
        verdict=verdict,
        reason=reason,
        more=more,
        challenger=challenger if seen[1] else None,
        champion=champion if seen[0] else None,
        margin=metric.margin,
        interval=interval,
    )


def _decided(
    metric: Metric, interval: Interval | None, fewest: int, terms: Terms
) -> tuple[Verdict, str, str]:
    """Hold the interval, turned so that more is better, against what the rule asks for."""
    short = f"at least {terms.minimum - fewest:,} more records of the rarer version"
    if interval is None:
        wanted = short if fewest < terms.minimum else "outcomes that differ"
        return Verdict.INCONCLUSIVE, "There is too little to compare yet.", wanted
    low, high = sorted((metric.sign * interval.low, metric.sign * interval.high))
    estimate = metric.sign * interval.estimate
    superior = metric.rule == "superior"
    edge = metric.margin if superior else -metric.margin
    asked = "the rule asks for better by more than" if superior else "the rule allows worse by"
    asked = f"{asked} {wording.number(metric.margin)}"
    sure = f"{wording.estimated(estimate)}; with {wording.confidence(interval.alpha)} confidence"
    if high <= edge:
        return Verdict.FAIL, f"{sure} {wording.at_most(high)}; {asked}.", ""
    if low > edge and fewest >= terms.minimum:
        return Verdict.PASS, f"{sure} {wording.at_least(low)}; {asked}.", ""
    both = f"{sure} {wording.at_least(low)}, and {wording.at_most(high)}; {asked}."
    if fewest < terms.minimum:
        return Verdict.INCONCLUSIVE, both, short
    reach = estimate - low if estimate > edge else high - estimate
    if math.isinf(reach):
        return Verdict.INCONCLUSIVE, both, "more records of the rarer version"
    more = wording.more(interval.rows, low, estimate, high, edge, wording.rows_needed, "records")
    return Verdict.INCONCLUSIVE, both, more
