"""The verdict of one metric: pass, fail, or inconclusive with what would decide (docs/gates.md).

Nothing that a model, a holdout or a user function can do raises here: whatever is odd has a verdict.
At fault is the challenger → fail; champion, holdout, policy or too little data → inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from mlflowctl.registry.gates import compare, intervals, metrics, wording
from mlflowctl.registry.gates import predictions as read
from mlflowctl.registry.gates.outcomes import outcome_arms
from mlflowctl.registry.gates.truth import NoValue, Truth, truth_of
from mlflowctl.registry.policy import Business, Metric
from mlflowctl.registry.verdict import GateResult, Interval, Verdict, worst

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["judge_holdout", "judge_outcomes", "judge_run", "outcome_arms", "spend"]

Kind = Literal["holdout", "outcomes", "run"]


@dataclass(frozen=True)
class Finding:
    """One half of a verdict: the threshold's, or the comparison's."""

    verdict: Verdict
    reason: str
    more: str = ""


def spend(alpha: float, look: int) -> float:
    """The α of one look at a holdout: α / (look (look + 1)), which adds up to at most α over all looks.

    Args:
        alpha: for all looks together.
        look: 1 for the first.

    Raises:
        ValueError: a look below 1.
    """
    if look < 1:
        raise ValueError(f"looks are counted from 1, not {look}")
    return alpha / (look * (look + 1))


def judge_holdout(
    metric: Metric, truth: Any, champion: Array | None, challenger: Array, alpha: float, seed: int
) -> GateResult:
    """Judge a metric on rows that both models predicted.

    Args:
        metric: of the policy.
        truth: one value a row, shape (n,): array, list or pandas Series.
        champion: its predictions of the same rows, shape (n,) or (n, classes); None without a champion.
        challenger: predictions of the same rows.
        alpha: error of this look at the holdout (see ``spend``).
        seed: of the bootstrap.
    """
    function = metric.function or metric.name
    try:
        facts = truth_of(truth)
        own = metrics.value(function, challenger, facts)
    except NoValue as exc:
        return _result(metric, "holdout", [_without_value(exc, "challenger")])
    findings = [_threshold(metric, own)]
    if champion is None:
        return _result(metric, "holdout", findings, own)
    other: float | None = None
    interval: Interval | None = None
    try:
        other = metrics.value(function, champion, facts)
        if metric.role != "threshold":
            finding, interval = _compared(metric, function, facts, champion, challenger, alpha, seed)
            findings.append(finding)
    except NoValue as exc:
        if metric.role != "threshold":
            findings.append(_without_value(exc, "champion" if other is None else "comparison"))
    return _result(metric, "holdout", findings, own, other, interval)


def judge_outcomes(
    metric: Business, champion: Sequence[float] | None, challenger: Sequence[float], alpha: float
) -> GateResult:
    """Judge a business metric on outcomes that go on growing; looking again costs no α.

    Args:
        metric: of the policy.
        champion: one number an outcome, shape (n0,); None without a champion.
        challenger: shape (n1,).
        alpha: error over all looks together.
    """
    import numpy as np

    try:
        new = _finite(np.asarray(challenger, dtype=np.float64), "challenger")
        intervals.enough_outcomes(int(new.size), "challenger")
    except NoValue as exc:
        return _result(metric, "outcomes", [_without_value(exc, "comparison")])
    own = float(new.mean())
    findings = [_threshold(metric, own)]
    if champion is None or metric.role == "threshold":
        return _result(metric, "outcomes", findings, own)
    other: float | None = None
    interval: Interval | None = None
    try:
        old = _finite(np.asarray(champion, dtype=np.float64), "champion")
        intervals.enough_outcomes(int(old.size), "champion")
        other = float(old.mean())
        interval = intervals.independent_means(old, new, alpha)
        needed = partial(wording.outcomes_needed, alpha=alpha)
        findings.append(_decide(metric, interval, needed, "outcomes"))
    except NoValue as exc:
        findings.append(_without_value(exc, "comparison"))
    return _result(metric, "outcomes", findings, own, other, interval)


def judge_run(metric: Metric, challenger_value: float | None, champion_value: float | None) -> GateResult:
    """Judge a number on the version's run, against its threshold only: one number carries no uncertainty.

    Args:
        metric: of the policy.
        challenger_value: None if the run has no such metric.
        champion_value: shown beside it; None if there is none.
    """
    import math

    name = (metric.metric if isinstance(metric, Business) else "") or metric.name
    if challenger_value is None:
        missing = Finding(
            Verdict.INCONCLUSIVE, f"The run has no metric {name!r}.", f"log {name!r} on the run"
        )
        return _result(metric, "run", [missing])
    if not math.isfinite(challenger_value):
        return _result(metric, "run", [Finding(Verdict.FAIL, f"{name} is {challenger_value} on the run.")])
    other = champion_value if champion_value is not None and math.isfinite(champion_value) else None
    return _result(metric, "run", [_threshold(metric, challenger_value)], challenger_value, other)


def _compared(
    metric: Metric, function: str, facts: Truth, champion: Any, challenger: Any, alpha: float, seed: int
) -> tuple[Finding, Interval | None]:
    """The comparison on a holdout; identical predictions are told by themselves."""
    same = compare.identical(champion, challenger)
    if same and metric.rule == "superior":
        reason = "Both models predict exactly the same on every row, so the challenger is not better."
        return Finding(Verdict.FAIL, reason), None
    if same and not (read.are_labels(challenger) and function in metrics.BOUNDED):
        # Equal scores to the last digit: the same function, whatever the number of rows.
        interval = Interval(0.0, 0.0, 0.0, alpha, "identical predictions", facts.rows)
        reason = "Both models predict exactly the same on every row."
        return Finding(Verdict.PASS, reason), interval
    interval = compare.difference(function, facts, champion, challenger, alpha, seed)
    return _decide(metric, interval, wording.rows_needed, "rows"), interval


def _decide(metric: Metric, interval: Interval, needed: wording.Needed, unit: str) -> Finding:
    """Hold the interval, turned so that more is better, against what the rule asks for."""
    low, high = sorted((metric.sign * interval.low, metric.sign * interval.high))
    estimate = metric.sign * interval.estimate
    superior = metric.rule == "superior"
    edge = metric.margin if superior else -metric.margin
    sure = f"{wording.estimated(estimate)}; with {wording.confidence(interval.alpha)} confidence"
    asked = f"the rule asks for better by more than {wording.number(metric.margin)}"
    if not superior:
        asked = f"the rule allows worse by {wording.number(metric.margin)}"
    if low > edge:
        return Finding(Verdict.PASS, f"{sure} {wording.at_least(low)}; {asked}.")
    if high <= edge:
        return Finding(Verdict.FAIL, f"{sure} {wording.at_most(high)}; {asked}.")
    reason = f"{sure} {wording.at_least(low)}, and {wording.at_most(high)}; {asked}."
    more = wording.more(interval.rows, low, estimate, high, edge, needed, unit)
    return Finding(Verdict.INCONCLUSIVE, reason, more)


def _threshold(metric: Metric, own: float) -> Finding:
    """The challenger's value by itself."""
    if metric.threshold is None:
        return Finding(Verdict.PASS, "")
    limit = f"the threshold {wording.number(metric.threshold)}"
    if metric.sign * (own - metric.threshold) >= 0:
        return Finding(Verdict.PASS, f"{wording.number(own)} meets {limit}.")
    return Finding(Verdict.FAIL, f"{wording.number(own)} misses {limit}.")


def _without_value(exc: NoValue, whose: Literal["challenger", "champion", "comparison"]) -> Finding:
    fault = exc.fault == "model" and whose == "challenger"
    of = {"challenger": "Challenger: ", "champion": "Champion: "}.get(whose, "")
    reason = f"{of}{exc.what}" if exc.fault == "model" else exc.what
    if fault:
        return Finding(Verdict.FAIL, reason)
    repair = "a champion that can be judged" if whose == "champion" else "a comparison with a value"
    return Finding(Verdict.INCONCLUSIVE, reason, exc.more or repair)


def _finite(values: Array, whose: str) -> Array:
    import numpy as np

    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise NoValue(
            f"{bad} outcomes of the {whose} are NaN or infinite.", fault="setup", more="mended outcomes"
        )
    return values


def _result(
    metric: Metric,
    kind: Kind,
    findings: list[Finding],
    own: float | None = None,
    other: float | None = None,
    interval: Interval | None = None,
) -> GateResult:
    """All findings must pass; the reasons of all stand in the result."""
    verdict = worst(finding.verdict for finding in findings)
    reasons = [finding.reason for finding in findings if finding.reason]
    if not reasons:
        reasons = ["There is no champion to compare with, and no threshold."]
        if other is not None or kind == "run" or metric.role == "threshold":
            reasons = ["There is no threshold to hold it against."]
    more = [finding.more for finding in findings if finding.more] if verdict is Verdict.INCONCLUSIVE else []
    compared = len(findings) > 1 or interval is not None
    return GateResult(
        name=metric.name,
        kind=kind,
        role=metric.role,
        rule=metric.rule if compared else "",
        direction=metric.direction,
        verdict=verdict,
        reason=" ".join(reasons),
        more="; ".join(more),
        challenger=own,
        champion=other,
        threshold=metric.threshold,
        margin=metric.margin,
        interval=interval,
    )
