"""Would callers of the champion still be understood, and understand the answer?"""

from __future__ import annotations

import json
from typing import Any

from mlflowctl.registry.checks.subject import NotAModel, Subject
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.verdict import CheckResult, Verdict

Fields = dict[str, dict[str, Any]]
LOG_IT = "Log the model with signature=infer_signature(inputs, predictions), then register it again."


def check(challenger: Subject, champion: Subject | None, policy: Checks) -> CheckResult:  # noqa: ARG001
    """The challenger's signature, held against the champion's.

    Raises:
        NotAModel: the challenger's ``MLmodel`` or its signature cannot be read.
    """
    inputs, outputs = fields(challenger, "inputs"), fields(challenger, "outputs")
    if not inputs or not outputs:
        part = "inputs" if not inputs else "outputs"
        return _result(Verdict.FAIL, f"The signature says nothing about the {part}.", LOG_IT)
    amount = f"{len(inputs)} input{'s' if len(inputs) != 1 else ''}"
    if champion is None:
        return _result(Verdict.PASS, f"{amount}; there is no champion to be compatible with.")
    try:
        theirs = fields(champion, "inputs"), fields(champion, "outputs")
    except NotAModel as exc:
        return _result(Verdict.INCONCLUSIVE, f"The champion's signature cannot be read: {exc.what}")
    if not theirs[0]:
        return _result(Verdict.PASS, f"{amount}; the champion has no signature to compare with.")
    wrong = input_changes(theirs[0], inputs)
    if theirs[1] and [_type(one) for one in theirs[1].values()] != [_type(one) for one in outputs.values()]:
        wrong.append(f"the output is {_shown(outputs)} instead of {_shown(theirs[1])}")
    if wrong:
        return _result(
            Verdict.FAIL,
            f"Callers of the champion would not be served: {'; '.join(wrong)}.",
            "Log the model with the champion's inputs and outputs, new inputs optional.",
        )
    new = [name for name in inputs if name not in theirs[0]]
    optional = f", new and optional: {', '.join(new)}" if new else ""
    return _result(Verdict.PASS, f"{amount}, compatible with version {champion.version}{optional}.")


def input_changes(before: Fields, now: Fields) -> list[str]:
    """What a caller of the signature before would stumble over now."""
    wrong = []
    for name, field in before.items():
        if name not in now:
            wrong.append(f"input {name} is gone")
        elif _type(field) != _type(now[name]):
            wrong.append(f"input {name} is {_name(now[name])} instead of {_name(field)}")
        elif not field.get("required", True) and now[name].get("required", True):
            wrong.append(f"input {name} was optional and is required")
    new = [name for name, field in now.items() if name not in before and field.get("required", True)]
    return wrong + [f"input {name} is new and required" for name in new]


def fields(subject: Subject, part: str) -> Fields:
    """Inputs or outputs by name (by position where they have none); {} if there is no signature.

    Raises:
        NotAModel: there is one, and it is unreadable.
    """
    mlmodel = subject.mlmodel
    try:
        found = json.loads((mlmodel.get("signature") or {}).get(part) or "[]")
        listed = found if isinstance(found, list) else [found]
        return {str(field.get("name") or f"#{index}"): dict(field) for index, field in enumerate(listed)}
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise NotAModel(f"The {part} of the signature in MLmodel cannot be read.", next=LOG_IT) from None


def _type(field: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in field.items() if key not in ("name", "required", "optional")}


def _name(field: dict[str, Any]) -> str:
    tensor = field.get("tensor-spec")
    if isinstance(tensor, dict):
        return f"a tensor of {tensor.get('dtype')} {tensor.get('shape')}"
    return str(field.get("type", "of no type"))


def _shown(outputs: Fields) -> str:
    return ", ".join(_name(field) for field in outputs.values())


def _result(verdict: Verdict, detail: str, next: str = "") -> CheckResult:
    return CheckResult("signature", "", verdict, detail, next)
