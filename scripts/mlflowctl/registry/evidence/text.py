"""Evidence on a terminal: a summary of a validation, and why a version was refused."""

from __future__ import annotations

from mlflowctl.registry.evidence.model import Evidence
from mlflowctl.registry.evidence.plain import one_line
from mlflowctl.registry.evidence.words import RESULT, blocking, headline, name_of, said, why, would_pass
from mlflowctl.registry.verdict import CheckResult, GateResult, Verdict


def summary_lines(evidence: Evidence) -> list[str]:
    """The verdict, then each gate and check that stands in the way, with what would help."""
    lines = [f"{evidence.verdict}: {headline(evidence)} ({one_line(evidence.model, 100)}).", why(evidence)]
    for result in blocking(evidence):
        lines.append(f"  {_told(result)}")
        hint = result.next if isinstance(result, CheckResult) else result.more
        if hint:
            label = "next" if isinstance(result, CheckResult) else "more"
            lines.append(f"    {label}: {one_line(hint)}")
    return lines


def explain(evidence: Evidence) -> list[str]:
    """Why a version was refused, and what would pass; for ``model explain``."""
    judged = f"judged {evidence.at[:16].replace('T', ' ')} UTC by {one_line(evidence.actor['name'], 100)}"
    lines = [f"{headline(evidence)} ({one_line(evidence.model, 100)}, {judged})."]
    found = blocking(evidence)
    if evidence.verdict is Verdict.PASS:
        return [*lines, why(evidence), "It was not refused: nothing more is needed."]
    if not found:
        return [*lines, why(evidence)]
    for result in found:
        lines.append(f"  {_told(result)}")
        lines.append(f"    to pass: {would_pass(result, evidence)}")
    passed = len(evidence.gates) + len(evidence.checks) - len(found)
    return [*lines, f"{passed} of {passed + len(found)} metrics and checks passed."]


def _told(result: GateResult | CheckResult) -> str:
    kind = f"check, {result.name}" if isinstance(result, CheckResult) else result.role
    return f"{RESULT[result.verdict]}: {name_of(result)} ({one_line(kind, 100)}): {said(result)}"
