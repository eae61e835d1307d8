"""All checks, one after the other; none hides another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry.checks import behaviour, custom, digests, pinning, signature
from mlflowctl.registry.checks.subject import Subject
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.verdict import CheckResult, Verdict

Check = Callable[[Subject, Subject | None, Checks], CheckResult]

CHECKS: tuple[tuple[str, str, Check], ...] = (
    ("digests", "artifacts unchanged since registration", digests.check),
    ("loads", "loads and predicts in the sandbox", behaviour.loads),
    ("signature", "signature present and compatible", signature.check),
    ("example", "input example predicted", behaviour.example),
    ("latency", "latency within its budget", behaviour.latency),
    ("memory", "memory within its budget", behaviour.memory),
    ("environment", "environment pinned", pinning.check),
)


def final_checks(challenger: Subject, champion: Subject | None, policy: Checks) -> list[CheckResult]:
    """Judge everything about a version that is not a metric.

    Args:
        challenger: fetched and tried.
        champion: the same of the champion; None if there is none yet.
        policy: budgets, and the user's own checks.

    Returns:
        One result for each check, in the order of docs/checks.md, then the user's own. A check that cannot be
        made is a result as well: inconclusive, or failed where the version itself is at fault.
    """
    results = [_run(name, title, check, challenger, champion, policy) for name, title, check in CHECKS]
    return results + [custom.check(path, challenger, champion) for path in policy.custom]


def _run(
    name: str, title: str, check: Check, challenger: Subject, champion: Subject | None, policy: Checks
) -> CheckResult:
    began = time.monotonic()
    try:
        found = check(challenger, champion, policy)
    except MlflowctlError as exc:  # the version's own files cannot be read
        found = CheckResult(name, title, Verdict.FAIL, exc.what, next=exc.next)
    except Exception as exc:  # whatever odd files made it stumble, the other checks go on
        found = CheckResult(
            name, title, Verdict.FAIL, f"The check stumbled: {type(exc).__name__}: {exc}"[:500]
        )
    return replace(found, name=name, title=title, seconds=found.seconds or time.monotonic() - began)
