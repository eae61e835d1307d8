"""A saved plan of Terraform as the steps that a person reads; what would lose data is marked.

Built from ``terraform show -json``. Values that Terraform calls sensitive are never taken over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlflowctl.plan import Action, Step

# Destroying or replacing one of these loses what no apply brings back.
STATEFUL = {
    "aws_backup_vault": "its recovery points",
    "aws_db_instance": "the registry's database",
    "aws_db_snapshot": "the snapshot",
    "aws_ecr_repository": "the images",
    "aws_kms_key": "everything encrypted with the key",
    "aws_s3_bucket": "the objects and their versions",
    "aws_secretsmanager_secret": "the secret, which waits for its deletion and keeps its name meanwhile",
}
_SHOWN = 60  # characters of a value
_SHOWN_CHANGES = 6


@dataclass(frozen=True)
class Change(Step):
    """What a plan does to one resource.

    Attributes:
        replaced: destroyed and created anew.
        loses: what would be lost that no apply brings back; "" if nothing.
        kind: the resource's type.
    """

    replaced: bool = False
    loses: str = ""
    kind: str = ""


def changes(plan: dict[str, Any]) -> list[Change]:
    """The steps of a plan that do something, in its order; moves and reads are left out."""
    found = [_change(one) for one in plan.get("resource_changes", [])]
    return [one for one in found if one is not None]


def losses(steps: list[Change]) -> list[Change]:
    """The steps after which data is gone."""
    return [step for step in steps if step.loses]


def _change(resource: dict[str, Any]) -> Change | None:
    actions = resource["change"]["actions"]
    kind, address = str(resource["type"]), str(resource["address"])
    if resource.get("mode") == "data" or actions in (["no-op"], ["read"]):
        return Change(Action.CHANGE, address, "import", kind=kind) if _imported(resource) else None
    replaced = "delete" in actions and "create" in actions
    loses = STATEFUL.get(kind, "") if "delete" in actions else ""
    if replaced:
        why = ", ".join(_path(one) for one in resource["change"].get("replace_paths", [])) or "asked for"
        return Change(Action.CHANGE, address, f"REPLACED because of {why}", True, loses, kind)
    if actions == ["delete"]:
        return Change(Action.REMOVE, address, "", False, loses, kind)
    if actions == ["create"]:
        return Change(Action.CREATE, address, "", kind=kind)
    if actions == ["forget"]:
        return Change(Action.REMOVE, address, "from the state only; in AWS it stays", kind=kind)
    return Change(Action.CHANGE, address, _differences(resource["change"]), kind=kind)


def _imported(resource: dict[str, Any]) -> bool:
    return bool(resource["change"].get("importing"))


def _path(steps: list[Any]) -> str:
    return ".".join(str(step) for step in steps)


def _differences(change: dict[str, Any]) -> str:
    """What changes in a resource, in one line."""
    found = list(
        _between(
            change.get("before"),
            change.get("after"),
            change.get("after_unknown"),
            (change.get("before_sensitive"), change.get("after_sensitive")),
            "",
        )
    )
    more = f" and {len(found) - _SHOWN_CHANGES} more" if len(found) > _SHOWN_CHANGES else ""
    return "; ".join(found[:_SHOWN_CHANGES]) + more


def _between(before: Any, after: Any, unknown: Any, sensitive: tuple[Any, Any], path: str) -> Iterator[str]:
    """The leaves that differ: "path: old → new"."""
    if any(one is True for one in sensitive):
        if before != after or unknown:
            yield f"{path}: (sensitive)"
    elif unknown is True:
        yield f"{path}: {_text(before)} → (known after apply)"
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after, *(unknown if isinstance(unknown, dict) else ())}):
            inner = tuple(one.get(key) if isinstance(one, dict) else one for one in sensitive)
            below = unknown.get(key) if isinstance(unknown, dict) else None
            name = f"{path}.{key}" if path else str(key)
            yield from _between(before.get(key), after.get(key), below, (inner[0], inner[1]), name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            inner = tuple(_item(one, index) for one in sensitive)
            yield from _between(old, new, _item(unknown, index), (inner[0], inner[1]), f"{path}.{index}")
    elif before != after:
        yield from _leaf(before, after, path)


def _leaf(before: Any, after: Any, path: str) -> Iterator[str]:
    """One value; documents inside a string (policies, container definitions) are compared inside."""
    documents = _document(before), _document(after)
    if all(one is not None for one in documents):
        yield from _between(*documents, None, (None, None), path)
    else:
        yield f"{path}: {_text(before)} → {_text(after)}"


def _document(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def _item(marks: Any, index: int) -> Any:
    return marks[index] if isinstance(marks, list) and index < len(marks) else marks is True


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
