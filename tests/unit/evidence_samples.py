"""Evidence as the gates and checks leave it: one sample for each verdict, and one by a stranger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlflowctl.registry.evidence.model import Evidence, ModelFacts
from mlflowctl.registry.verdict import CheckResult, GateResult, Interval, Verdict

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def gate(name: str = "roc_auc", verdict: Verdict = PASS, **changed: Any) -> GateResult:
    """The primary metric, better beyond doubt; ``changed`` says what is different."""
    usual: dict[str, Any] = {
        "kind": "holdout",
        "role": "primary",
        "rule": "superior",
        "direction": "higher",
        "reason": "Version 8 is better than version 7 beyond the uncertainty of the data.",
        "challenger": 0.9312,
        "champion": 0.9187,
        "threshold": 0.85,
        "interval": Interval(0.0125, 0.0061, 0.0189, 0.025, "DeLong", 4000),
    }
    return GateResult(name=name, verdict=verdict, **usual | changed)


def guardrail(name: str = "p95_latency_ms", verdict: Verdict = PASS, **changed: Any) -> GateResult:
    """A metric of which less is better, not worse by as much as its margin."""
    usual: dict[str, Any] = {
        "kind": "outcomes",
        "role": "guardrail",
        "rule": "non-inferior",
        "direction": "lower",
        "reason": "Version 8 is not worse than version 7 by as much as the margin of 5.",
        "challenger": 41.7,
        "champion": 40.9,
        "threshold": 200.0,
        "margin": 5.0,
        "interval": Interval(0.8, -1.9, 3.5, 0.05, "always-valid normal mixture", 18_211),
    }
    return gate(name, verdict, **usual | changed)


def check(name: str, title: str, detail: str, verdict: Verdict = PASS, next: str = "") -> CheckResult:
    return CheckResult(name, title, verdict, detail, next, 0.42)


CHECKS = (
    check("digests", "Artifacts are unchanged", "7 files, as registered"),
    check("loads", "Loads and predicts", "in a clean process in 3.1 s, peak memory 312 MB"),
    check("signature", "Signature fits the champion's", "11 inputs, 1 output, the same"),
    check("example", "Input example", "5 rows predicted, finite, twice the same"),
)

POLICY = {
    "model": "churn",
    "digest": "4f" * 32,
    "holdout": {"data": "s3://data/churn/holdout.parquet", "target": "churned"},
    "metrics": [
        {"name": "roc_auc", "direction": "higher", "role": "primary", "rule": "superior", "threshold": 0.85},
        {"name": "p95_latency_ms", "direction": "lower", "role": "guardrail", "margin": 5.0},
    ],
    "checks": {"environment": "local", "timeout_seconds": 120.0, "memory_mb": 8192, "custom": []},
    "alpha": 0.05,
    "auto_stage": False,
    "approvals": 1,
    "keep_archived": 5,
}


def facts(seed: int = 8) -> dict[str, Any]:
    """What is known of one version."""
    return ModelFacts(
        run_id=f"{seed:02d}c1d9a7" * 4,
        metrics={"train_auc": 0.941 + seed / 1000, "rows": 32_000.0},
        params={"model__C": "0.3", "model__max_iter": str(seed * 100)},
        registered_at=f"2026-11-{seed + 10}T08:12:45Z",
        registered_by="anna",
        artifact_digest=f"{seed:x}" * 64,
        artifacts={"MLmodel": 1_204, "model.pkl": 88_412 * seed, "requirements.txt": 96},
        flavor="sklearn",
        python_version="3.11.13",
        signature="inputs: tenure long, plan string, charges double → outputs: double",
    ).as_dict()


def passed(**changed: Any) -> Evidence:
    """Version 8 may replace version 7; ``changed`` says what is different."""
    usual: dict[str, Any] = {
        "id": "0f3b9c52d1e84c7f9a6e2b7d4c1a8e55",
        "model": "churn",
        "version": 8,
        "champion": 7,
        "verdict": PASS,
        "at": "2026-11-24T22:05:31Z",
        "actor": {"name": "anna", "kind": "os", "host": "ci-runner-3"},
        "reason": "weekly retraining",
        "policy": POLICY,
        "holdout": {"location": "s3://data/churn/holdout.parquet", "digest": "ab" * 32, "rows": 4000},
        "look": 1,
        "alpha": 0.025,
        "gates": (gate(), guardrail()),
        "checks": CHECKS,
        "facts": {"challenger": facts(8), "champion": facts(7)},
        "environment": {
            "mlflowctl": "0.1.0",
            "mlflow": "3.17.2",
            "python": "3.11.13",
            "machine": "Linux x86_64",
        },
    }
    return Evidence(**usual | changed)


def failed() -> Evidence:
    """A guardrail, a threshold and a check failed; the primary metric alone looked well."""
    slow = guardrail(
        verdict=FAIL,
        reason="Version 8 is worse than version 7 by more than 5.",
        challenger=52.4,
        interval=Interval(11.5, 8.6, 14.4, 0.05, "always-valid normal mixture", 18_211),
    )
    revenue = gate(
        "revenue_per_user",
        FAIL,
        kind="run",
        role="threshold",
        rule="",
        reason="3.91 misses the threshold of 4.",
        challenger=3.91,
        champion=None,
        threshold=4.0,
        interval=None,
    )
    broken = check(
        "signature",
        "Signature fits the champion's",
        "input charges was double and is string",
        FAIL,
        "log the model with the champion's input schema, or promote it under another name",
    )
    return passed(
        verdict=FAIL,
        gates=(gate(), slow, revenue),
        checks=(*CHECKS[:2], broken, CHECKS[3]),
        reason="faster features",
    )


def undecided() -> Evidence:
    """Better by the estimate, but the data cannot tell yet; and one bound does not exist."""
    unclear = gate(
        verdict=OPEN,
        reason="The data cannot tell yet whether version 8 is better than version 7.",
        more="about 1,900 more rows of the same kind",
        interval=Interval(0.0031, -0.0044, 0.0106, 0.025, "DeLong", 1200),
        challenger=0.9218,
    )
    endless = guardrail(
        verdict=OPEN,
        reason="Too few outcomes for any bound on how much slower it is.",
        more="about 400 more outcomes",
        interval=Interval(0.8, -7.25, float("inf"), 0.05, "always-valid normal mixture", 3),
    )
    return passed(verdict=OPEN, gates=(unclear, endless))


def first() -> Evidence:
    """The first champion: thresholds and checks alone."""
    only = gate(
        reason="0.9312 meets the threshold of 0.85; there is no champion to compare with.",
        champion=None,
        interval=None,
    )
    return passed(
        version=1, champion=None, gates=(only,), facts={"challenger": facts(1), "champion": None}, reason=""
    )


ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"


def hostile() -> Evidence:
    """By somebody who wants to run something where this is read, or to confuse the reader."""
    endless = ATTACK + "w" * 10_000
    strange = facts(8) | {
        "signature": endless,
        "params": {ATTACK: endless},
        "registered_by": "\x1b[2J‮" + ATTACK,
    }
    return replace(
        failed(),
        model=ATTACK,
        reason="\x1b]0;owned\x07" + endless,
        actor={"name": ATTACK, "kind": ATTACK, "host": ATTACK},
        policy={"digest": ATTACK, ATTACK: {ATTACK: [endless]}},
        holdout={"location": endless, "digest": ATTACK, "rows": 1},
        gates=(gate(ATTACK, FAIL, reason=endless, more=ATTACK), gate("x" * 400, OPEN, reason="\ud800")),
        checks=(check(ATTACK, endless, endless, FAIL, endless),),
        facts={"challenger": strange, "champion": strange},
        environment=dict.fromkeys(("mlflowctl", "mlflow", "python", "machine"), ATTACK),
    )


ALL = {"pass": passed, "fail": failed, "inconclusive": undecided, "first": first, "hostile": hostile}
