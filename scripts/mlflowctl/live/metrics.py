"""One metric of the policy, judged by the evidence."""

from __future__ import annotations

import math
from dataclasses import replace

from mlflowctl.live.evidence import Evidence
from mlflowctl.live.judge import Terms, judge_latency, judge_mean, judge_rate
from mlflowctl.live.quantiles import Latency
from mlflowctl.live.sums import Moments, Step
from mlflowctl.live.tally import OutcomeNotes
from mlflowctl.registry.live_policy import LiveMetric
from mlflowctl.registry.verdict import GateResult, Verdict

SILENCE = 1e-9  # chance of a silence as long as this one, at which the outcomes are taken to have stopped


def judged(evidence: Evidence, metric: LiveMetric, terms: Terms, expected: float | None) -> GateResult:
    """Judge one metric.

    Args:
        evidence: of the test.
        metric: of the policy.
        terms: of the policy.
        expected: the champion's rate or mean as known before the test; None for no idea.
    """
    if metric.source == "errors":
        counts = [
            Step(one.number, one.share, one.champion.errors, one.challenger.errors) for one in evidence.steps
        ]
        return judge_rate(metric, counts, terms, expected)
    if metric.source == "latency":
        histograms = [
            Latency(one.share, one.champion.latency, one.challenger.latency) for one in evidence.steps
        ]
        return judge_latency(metric, histograms, metric.quantile, terms)
    return _outcomes(evidence, metric, terms, expected)


def _outcomes(evidence: Evidence, metric: LiveMetric, terms: Terms, expected: float | None) -> GateResult:
    name, none = metric.name, Moments()
    steps = [
        Step(
            one.number,
            one.share,
            one.champion.outcomes.get(name, none),
            one.challenger.outcomes.get(name, none),
        )
        for one in evidence.steps
    ]
    found = judge_mean(metric, steps, terms, metric.bounds, expected)
    problem = _problem(evidence.outcomes.get(name, OutcomeNotes()), metric, sum(one.seen for one in steps))
    if not problem:
        return found
    return replace(found, verdict=Verdict.INCONCLUSIVE, reason=problem, more="outcomes")


def _problem(notes: OutcomeNotes, metric: LiveMetric, counted: int) -> str:
    """Why these outcomes decide nothing; "" if they may.

    Where absent outcomes count as 0, a source that has dried up makes all versions look alike.
    """
    if notes.problem:
        return notes.problem
    if metric.missing != "zero" or not counted:
        return ""
    known = counted - notes.missing
    if known <= 0:
        return f"None of {counted:,} requests has an outcome, so nothing is known of them."
    if notes.silent * math.log1p(-min(known / counted, 0.999999)) < math.log(SILENCE):
        return (
            f"The last {notes.silent:,} requests have no outcome, and {known / counted:.2%} of all have one: "
            "the source of outcomes seems to have stopped."
        )
    return ""
