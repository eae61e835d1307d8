"""What the trial in the sandbox showed."""

from __future__ import annotations

from mlflowctl.registry.checks.subject import Subject
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.verdict import CheckResult, Verdict

LATENCY_FLOOR_MS = 5.0  # below it the machine's noise is larger than any difference between models
MEMORY_FLOOR_MB = 64.0
NOT_HELD = "The policy sets no budget."


def loads(challenger: Subject, champion: Subject | None, policy: Checks) -> CheckResult:  # noqa: ARG001
    """It loaded, and predicted every row."""
    trial = challenger.trial
    if not trial.ok:
        verdict = Verdict.FAIL if trial.attempted else Verdict.INCONCLUSIVE
        return CheckResult("loads", "", verdict, trial.error, trial.next or "mlflowctl model explain")
    rows = "" if trial.predictions is None else f", {len(trial.predictions):,} rows"
    rows += "" if trial.predict_seconds is None else f" in {trial.predict_seconds:.2f} s"
    notes = "".join(f" {note}" for note in trial.notes)
    loaded = f"loaded in {trial.load_seconds:.1f} s" if trial.load_seconds is not None else "loaded"
    seconds = (trial.load_seconds or 0.0) + (trial.predict_seconds or 0.0)
    detail = f"{trial.environment}: {loaded}{rows}.{notes}"
    return CheckResult("loads", "", Verdict.PASS, detail, seconds=seconds)


def example(challenger: Subject, champion: Subject | None, policy: Checks) -> CheckResult:  # noqa: ARG001
    """The input example was predicted twice: finite numbers, the same both times."""
    found = challenger.trial.example
    if found == "ok":
        return CheckResult("example", "", Verdict.PASS, "Predicted twice: finite, and the same both times.")
    if not challenger.trial.ok and found == "absent":
        return CheckResult(
            "example", "", Verdict.INCONCLUSIVE, "It was not tried: the model did not predict."
        )
    detail, next = {
        "absent": (
            "The model has no input example.",
            "Log the model with input_example=…, register it again.",
        ),
        "not finite": ("Its prediction has NaN or infinite values.", "Correct the model or its example."),
        "not deterministic": (
            "Two predictions of the same example differ.",
            "Fix the seed inside the model, or remove what is random from predict.",
        ),
    }.get(
        found,
        (f"The input example: {found}.", "Predict the example with the logged model, as callers would."),
    )
    return CheckResult("example", "", Verdict.FAIL, detail, next)


def latency(challenger: Subject, champion: Subject | None, policy: Checks) -> CheckResult:
    """p95 of one-row predictions, against the champion's on the same machine, one after the other."""
    now = challenger.trial.latency_p95_ms
    before = champion.trial.latency_p95_ms if champion else None
    found = _budget(now, before, policy.latency_ratio, LATENCY_FLOOR_MS, "p95", "ms", champion)
    return found or CheckResult("latency", "", Verdict.INCONCLUSIVE, "No latency was measured.")


def memory(challenger: Subject, champion: Subject | None, policy: Checks) -> CheckResult:
    """Peak memory of the process that loaded and predicted, against the champion's."""
    now = challenger.trial.peak_memory_mb
    before = champion.trial.peak_memory_mb if champion else None
    found = _budget(now, before, policy.memory_ratio, MEMORY_FLOOR_MB, "peak", "MB", champion)
    return found or CheckResult("memory", "", Verdict.INCONCLUSIVE, "No memory was measured.")


def _budget(
    now: float | None,
    before: float | None,
    ratio: float | None,
    floor: float,
    what: str,
    unit: str,
    champion: Subject | None,
) -> CheckResult | None:
    """Held against ratio × the champion's value, which counts as at least the floor."""
    seen = f"{what} {now:.1f} {unit}" if now is not None else "nothing measured"
    if ratio is None:
        return CheckResult("", "", Verdict.PASS, f"{seen}. {NOT_HELD}")
    if champion is None:
        return CheckResult("", "", Verdict.PASS, f"{seen}; there is no champion to compare with.")
    if now is None:
        return None
    if before is None:
        return CheckResult(
            "",
            "",
            Verdict.INCONCLUSIVE,
            f"{seen}; the champion's is not known: {champion.trial.error or 'no rows'}",
        )
    allowed = ratio * max(before, floor)
    detail = f"{seen}, champion {before:.1f} {unit}, at most {allowed:.1f} {unit}."
    if now > allowed:
        return CheckResult(
            "", "", Verdict.FAIL, detail, "Make the model cheaper, or change the budget in the policy."
        )
    return CheckResult("", "", Verdict.PASS, detail)
