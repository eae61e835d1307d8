"""The user's own checks: the team's code from the working directory, run in this process and trusted."""

from __future__ import annotations

import importlib
import time
from typing import Any

from mlflowctl.registry.checks.subject import CheckOutcome, Subject, check_input
from mlflowctl.registry.sandbox.trial import clean
from mlflowctl.registry.verdict import CheckResult, Verdict

ANSWERS = "True, False, a text that says what is wrong, (bool, text), or a CheckOutcome"


def check(path: str, challenger: Subject, champion: Subject | None) -> CheckResult:
    """Run one check.

    Args:
        path: ``package.module:function``; the working directory is on the path.
        challenger: that is checked.
        champion: to compare with; None if there is none.

    Returns:
        The check's answer. Whatever it raises is a failure with that text.
    """
    began = time.monotonic()
    try:
        outcome = _understood(_load(path)(check_input(challenger, champion)))
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt):
            raise
        outcome = CheckOutcome(False, f"It raised {type(exc).__name__}: {clean(exc)}", f"Correct {path}.")
    verdict = {True: Verdict.PASS, False: Verdict.FAIL, None: Verdict.INCONCLUSIVE}[outcome.passed]
    detail = clean(outcome.detail) or f"It answered {outcome.passed}."
    next = outcome.next if verdict is not Verdict.PASS else ""
    return CheckResult(path, f"own check {path}", verdict, detail, next, time.monotonic() - began)


def _load(path: str) -> Any:
    module, separator, name = path.partition(":")
    if not separator or not module or not name:
        raise ValueError(f"{path!r} is not package.module:function")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{path!r} is no function")
    return found


def _understood(answer: Any) -> CheckOutcome:
    if isinstance(answer, CheckOutcome) and answer.passed in (True, False, None):
        return answer
    if type(answer).__name__ in ("bool", "bool_"):  # numpy has one of its own
        return CheckOutcome(bool(answer))
    if isinstance(answer, str):
        return CheckOutcome(not answer, answer)
    if isinstance(answer, tuple) and len(answer) == 2 and type(answer[0]).__name__ in ("bool", "bool_"):
        return CheckOutcome(bool(answer[0]), str(answer[1]))
    raise TypeError(f"it answered {type(answer).__name__}; understood are {ANSWERS}")
