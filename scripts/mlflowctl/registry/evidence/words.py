"""The sentences that report and terminal share: the verdict, why, and what would change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlflowctl.registry.evidence.figures import confidence, decimals, number
from mlflowctl.registry.evidence.model import Evidence
from mlflowctl.registry.evidence.plain import one_line
from mlflowctl.registry.verdict import CheckResult, GateResult, Verdict

RESULT = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "not decided"}


@dataclass(frozen=True)
class Difference:
    """A gate's interval turned so that more is better, in the metric's unit.

    Attributes:
        estimate: by how much the challenger is better.
        low: at least so much, one-sided; may be minus infinity.
        high: at most so much, one-sided; may be infinity.
        limit: what ``low`` must exceed; None if the metric is not compared with the champion.
    """

    estimate: float
    low: float
    high: float
    limit: float | None


def difference(gate: GateResult) -> Difference | None:
    """The gate's interval, right way round; None if there is none that means anything."""
    found = gate.interval
    if found is None or any(math.isnan(one) for one in (found.estimate, found.low, found.high)):
        return None
    if not math.isfinite(found.estimate):
        return None
    limit = {"superior": gate.margin, "non-inferior": -gate.margin}.get(gate.rule)
    if gate.direction == "lower":
        return Difference(-found.estimate, -found.high, -found.low, limit)
    return Difference(found.estimate, found.low, found.high, limit)


def headline(evidence: Evidence) -> str:
    """The verdict in one sentence."""
    version = f"ersion {evidence.version}"
    if evidence.champion is None:
        goal = "become the first champion"
    else:
        goal = f"replace version {evidence.champion}"
    if evidence.verdict is Verdict.INCONCLUSIVE:
        return f"Whether v{version} may {goal} cannot be decided yet"
    return f"V{version} {'may' if evidence.verdict is Verdict.PASS else 'must not'} {goal}"


def why(evidence: Evidence) -> str:
    """One paragraph: how many metrics and checks said what, and how the primary metrics stand."""
    parts = [_tally("metric", evidence.gates), _tally("check", evidence.checks)]
    text = " ".join(part for part in parts if part) or "The policy asked for no metric and no check."
    if evidence.champion is None:
        return f"{text} There is no champion yet, so thresholds and checks alone decide."
    if evidence.verdict is not Verdict.FAIL:
        text += "".join(f" {_standing(gate, evidence)}" for gate in evidence.gates if gate.role == "primary")
    if evidence.verdict is not Verdict.PASS and not blocking(evidence):
        text += " None of them stood in the way by itself."
    return text.rstrip()


def _standing(gate: GateResult, evidence: Evidence) -> str:
    found, places = difference(gate), decimals(gate)
    if found is None or gate.challenger is None or gate.champion is None:
        return ""
    values = f"{number(gate.challenger, places)} against {number(gate.champion, places)}"
    measured = _by(found.estimate, places)
    return (
        f"On the primary metric {name_of(gate)}, version {evidence.version} measured {measured} ({values})."
    )


def _tally(kind: str, results: Sequence[GateResult] | Sequence[CheckResult]) -> str:
    total = len(results)
    if not total:
        return ""
    counted = f"{kind}s" if total > 1 else kind
    told = []
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        names = [name_of(one) for one in results if one.verdict is verdict]
        if names:
            did = "is" if len(names) == 1 else "are"
            verb = "failed" if verdict is Verdict.FAIL else f"{did} not decided yet"
            told.append(f"{len(names)} of {total} {counted} {verb}: {_listed(names)}.")
    everything = {1: "The one", 2: "Both"}.get(total, f"All {total}")
    return " ".join(told) or f"{everything} {counted} passed."


def _listed(names: Sequence[str], most: int = 6) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def name_of(result: GateResult | CheckResult) -> str:
    """How a person names a gate or a check, on one line."""
    return one_line(result.name if isinstance(result, GateResult) else result.title or result.name, 100)


def said(result: GateResult | CheckResult) -> str:
    """What a gate or a check gave as its reason, on one line."""
    return one_line(result.detail if isinstance(result, CheckResult) else result.reason)


def blocking(evidence: Evidence) -> list[GateResult | CheckResult]:
    """What stands in the way: failures first, then what is not decided."""
    results: list[GateResult | CheckResult] = [*evidence.gates, *evidence.checks]
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE)
    return [one for verdict in order for one in results if one.verdict is verdict]


def validity(evidence: Evidence) -> str:
    """How long a pass holds."""
    compared = "" if evidence.champion is None else f", and while version {evidence.champion} is the champion"
    return f"This holds for the policy and the artifacts named below{compared}. Otherwise validate again."


def would_pass(result: GateResult | CheckResult, evidence: Evidence) -> str:
    """What a failing or undecided gate or check needs."""
    if isinstance(result, CheckResult):
        return one_line(result.next) or "a version that passes this check"
    if result.verdict is Verdict.INCONCLUSIVE and result.more:
        return one_line(result.more)
    wanted = _unmet(result, evidence) or requirements(result, evidence)
    return f"a version that {' and '.join(wanted)}" if wanted else "a value that can be computed"


def _unmet(gate: GateResult, evidence: Evidence) -> list[str]:
    places = decimals(gate)
    found = []
    if threshold_missed(gate):
        found.append(f"{_threshold(gate)} (this one has {number(gate.challenger, places)})")
    turned = difference(gate)
    if gate.interval and turned and turned.limit is not None and turned.low <= turned.limit:
        value = "" if gate.champion is None else f" ({number(gate.champion, places)})"
        found.append(f"{_comparison(gate, evidence, value)}, with {confidence(gate.interval.alpha)}")
    return found


def requirements(gate: GateResult, evidence: Evidence) -> list[str]:
    """What the policy demands of a version on this metric, as verbs: "is at least 0.8"."""
    found = []
    if gate.rule and evidence.champion is not None:
        found.append(_comparison(gate, evidence))
    if gate.threshold is not None:
        found.append(_threshold(gate))
    return found


def required_of(requirement: str) -> str:
    """A requirement as a table cell shows it: "at least 0.8"."""
    return requirement.removeprefix("is ").removeprefix("has ")


def _comparison(gate: GateResult, evidence: Evidence, value: str = "") -> str:
    champion = f"version {evidence.champion}" if evidence.champion is not None else "the champion"
    margin = number(gate.margin)
    if gate.rule == "superior":
        return f"is better than {champion}{value}" + (f" by more than {margin}" if gate.margin else "")
    return f"is not worse than {champion}{value}" + (f" by {margin} or more" if gate.margin else "")


def _threshold(gate: GateResult) -> str:
    return f"has {'at least' if gate.direction == 'higher' else 'at most'} {number(gate.threshold)}"


def threshold_missed(gate: GateResult) -> bool:
    """True if the challenger's value is on the wrong side of the absolute threshold."""
    if gate.threshold is None or gate.challenger is None:
        return False
    missed = gate.challenger < gate.threshold
    return missed if gate.direction == "higher" else gate.challenger > gate.threshold


def comparison(gate: GateResult, evidence: Evidence) -> str:
    """The interval in words: estimate, and both one-sided bounds; "" without an interval."""
    found = difference(gate)
    if found is None or gate.interval is None:
        return ""
    places = decimals(gate)
    low, high = _bound(found.low, places, "lower"), _bound(found.high, places, "upper")
    return (
        f"Version {evidence.version} measured {_by(found.estimate, places)}: {low}, {high}, "
        f"each with {confidence(gate.interval.alpha)}."
    )


def _bound(value: float, places: int | None, side: str) -> str:
    """A one-sided bound in words; the worse of two values is the larger one where both are worse."""
    if math.isinf(value):
        return f"no {side} bound yet"
    least = "at least" if (value > 0) == (side == "lower") else "at most"
    return f"{least} {number(abs(value), places)} {'better' if value > 0 else 'worse'}"


def _by(value: float, places: int | None) -> str:
    text = number(abs(value), places)
    if not text.strip("0.,"):
        return "the same"
    return f"{text} {'better' if value > 0 else 'worse'}"
