"""Compare lifecycle rules by what they do, not by how a store happens to write them down."""

from __future__ import annotations

import json
from typing import Any

from mlflowctl.storage.desired import NEVER_EXPIRED, RECORDS_PREFIX
from mlflowctl.storage.settings import Role

Rule = dict[str, Any]


def _prefix(rule: Rule) -> str:
    scope = rule.get("Filter") or {}
    return str(scope.get("Prefix") or scope.get("And", {}).get("Prefix") or rule.get("Prefix") or "")


def canonical(rule: Rule) -> str:
    """One spelling per effect: without the ID, and the empty filter in one form."""
    scope = {key: value for key, value in (rule.get("Filter") or {}).items() if key != "Prefix"}
    rest = {key: value for key, value in rule.items() if key not in ("ID", "Filter", "Prefix")}
    return json.dumps({**rest, "scope": scope, "prefix": _prefix(rule)}, sort_keys=True, default=str)


def destroys_what_must_stay(rule: Rule, role: Role) -> bool:
    """True if the rule expires current objects other than records, or any version of ledger and evidence."""
    if rule.get("Status") != "Enabled":
        return False
    if role == "registry" and _prefix(rule).startswith(RECORDS_PREFIX):
        return False
    if {"Days", "Date"} & set(rule.get("Expiration", {})):
        return True
    if role == "artifacts" or "NoncurrentVersionExpiration" not in rule:
        return False
    prefix = _prefix(rule)
    return any(prefix.startswith(kept) or kept.startswith(prefix) for kept in NEVER_EXPIRED)


def _named(rules: list[Rule]) -> str:
    return ", ".join(repr(str(rule.get("ID") or "unnamed rule")) for rule in rules)


def difference(current: list[Rule], wanted: list[Rule], role: Role, *, owned: bool) -> str:
    """What separates the rules from the wanted ones, "" for nothing.

    In an owned bucket every other rule is drift. In a bucket that somebody else owns, further rules
    are theirs to have unless they destroy what must stay.
    """
    have, want = {canonical(rule) for rule in current}, {canonical(rule) for rule in wanted}
    missing = [rule for rule in wanted if canonical(rule) not in have]
    extra = [rule for rule in current if canonical(rule) not in want]
    if not owned:
        extra = [rule for rule in extra if destroys_what_must_stay(rule, role)]
    parts = []
    if missing:
        parts.append(f"adds {_named(missing)}" if owned else f"lacks {_named(missing)}")
    if extra:
        parts.append(f"removes {_named(extra)}" if owned else f"{_named(extra)} expires what must stay")
    return "; ".join(parts)
