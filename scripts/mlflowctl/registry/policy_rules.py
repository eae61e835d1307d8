"""What must fit together in a policy, and what follows from what is left out.

The rules look only at values of the right type; wrong types are the schema's business. So both can run over
the same broken file and name everything at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlflowctl.registry.live_rules import check_live
from mlflowctl.registry.policy import Direction
from mlflowctl.registry.policy_yaml import Document, Path, spelled

# The metrics that need no function, and which way is better.
DIRECTIONS: Mapping[str, Direction] = {
    "accuracy": "higher",
    "balanced_accuracy": "higher",
    "f1": "higher",
    "precision": "higher",
    "recall": "higher",
    "roc_auc": "higher",
    "average_precision": "higher",
    "r2": "higher",
    "log_loss": "lower",
    "brier": "lower",
    "mae": "lower",
    "mse": "lower",
    "rmse": "lower",
}
RULES = {"primary": "superior", "guardrail": "non-inferior", "threshold": ""}
OUTCOMES_ONLY = ("data", "assignments", "id_column", "version_column", "value_column")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
S3 = re.compile(r"s3://[^/?#\s]+/[^/\s].*")


def function_of(metric: Mapping[str, Any]) -> str:
    """The function of a holdout metric; the name stands for it if it is a known one. "" if there is none."""
    name = _text(metric, "name")
    return _text(metric, "function") or (name if name in DIRECTIONS else "")


def known_direction(metric: Mapping[str, Any]) -> Direction | None:
    """Which way is better by definition, None if only the user can know."""
    return DIRECTIONS.get(function_of(metric)) or DIRECTIONS.get(_text(metric, "name"))


def rule_of(metric: Mapping[str, Any]) -> str:
    """``superior`` or ``non-inferior``; "" for a metric that is only held against its threshold."""
    return _text(metric, "rule") or RULES.get(_text(metric, "role"), "")


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The nearest of some words, or "" if none is near."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)), "")


def check_model(document: Document, path: Path, policy: Mapping[str, Any], meant: set[Path]) -> None:
    """Note what does not fit together in one model's policy.

    Args:
        document: gets the problems.
        path: of the policy in the file.
        policy: the model's section, as it stands in the file.
        meant: paths of keys that stand there misspelled; they do not count as missing.
    """
    metrics, business = _items(policy, "metrics"), _items(policy, "business")
    lists_read = all(isinstance(policy.get(key, []), list) for key in ("metrics", "business"))
    if not (policy.get("metrics") or policy.get("business")) and lists_read and not _meant(path, meant):
        document.add(path, "Needs at least one metric, in metrics or in business.")
    if metrics and "holdout" not in policy and (*path, "holdout") not in meant:
        document.add((*path, "metrics"), "Metrics need a holdout to be computed on.")
    names: dict[str, str] = {}
    for key, items in (("metrics", metrics), ("business", business)):
        for index, item in items.items():
            where: Path = (*path, key, index)
            _check_name(document, where, item, names)
            _check_role(document, where, item, meant)
            (_check_metric if key == "metrics" else _check_business)(document, where, item, meant)
    _check_location(document, (*path, "holdout"), policy.get("holdout"), "data")
    _check_custom(document, (*path, "checks", "custom"), policy.get("checks"))
    check_live(document, (*path, "live"), policy.get("live"), meant)


def _meant(path: Path, meant: set[Path]) -> bool:
    return bool({(*path, "metrics"), (*path, "business")} & meant)


def _items(policy: Mapping[str, Any], key: str) -> dict[int, Mapping[str, Any]]:
    """The mappings in a list, by their place in it."""
    found = policy.get(key)
    return {i: one for i, one in enumerate(found) if isinstance(one, dict)} if isinstance(found, list) else {}


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _check_name(document: Document, path: Path, item: Mapping[str, Any], names: dict[str, str]) -> None:
    name = _text(item, "name")
    if name in names:
        document.add((*path, "name"), f"The name {name!r} is taken by {names[name]}.")
    elif name:
        names[name] = spelled(path)


def _check_role(document: Document, path: Path, item: Mapping[str, Any], meant: set[Path]) -> None:
    role = _text(item, "role")
    if role == "guardrail" and item.get("rule") == "superior":
        document.add((*path, "rule"), "A guardrail is non-inferior; what must be better is a primary metric.")
    if role != "threshold":
        return
    if "threshold" not in item and (*path, "threshold") not in meant:
        document.add(path, "The role threshold needs a threshold.")
    for key in ("rule", "margin"):
        if key in item:
            text = f"The role threshold compares with no champion, so {key} has no meaning here."
            document.add((*path, key), text)


def _check_metric(document: Document, path: Path, item: Mapping[str, Any], meant: set[Path]) -> None:
    function, known, direction = function_of(item), known_direction(item), item.get("direction")
    if function and function not in DIRECTIONS and not DOTTED.fullmatch(function):
        close = did_you_mean(function, DIRECTIONS)
        hint = f"did you mean {close}?" if close else f"known: {', '.join(DIRECTIONS)}."
        text = f"Must be a known metric or package.module:function, not {function!r}; {hint}"
        document.add((*path, "function"), text)
    elif not function and _text(item, "name") and not _given(path, item, "function", meant):
        close = did_you_mean(_text(item, "name"), DIRECTIONS)
        hint = f"; did you mean {close}?" if close else "."
        document.add(path, f"{item['name']!r} is no known metric, so it needs a function{hint}")
    named = function or _text(item, "name")  # else the schema's complaint is enough
    if named and not known and not _given(path, item, "direction", meant):
        document.add(path, "Needs a direction: higher or lower.")
    if known and direction in ("higher", "lower") and direction != known:
        document.add(
            (*path, "direction"), f"{function or item['name']} is better when {known}, not {direction}."
        )


def _given(path: Path, item: Mapping[str, Any], key: str, meant: set[Path]) -> bool:
    return key in item or (*path, key) in meant


def _check_business(document: Document, path: Path, item: Mapping[str, Any], meant: set[Path]) -> None:
    source = _text(item, "source")
    if source == "run":
        for key in OUTCOMES_ONLY:
            if key in item:
                document.add((*path, key), f"Only source: outcomes has {key}.")
        if _text(item, "role") in ("primary", "guardrail"):
            text = "A number on the run says nothing about its own uncertainty: the role must be threshold."
            document.add((*path, "role"), text)
    elif source == "outcomes":
        if not _given(path, item, "data", meant):
            document.add(path, "Source outcomes needs data.")
        if "metric" in item:
            document.add((*path, "metric"), "Only source: run has metric.")
        _check_location(document, path, item, "data")
        _check_location(document, path, item, "assignments")


def _check_location(document: Document, path: Path, item: Any, key: str) -> None:
    location = _text(item, key) if isinstance(item, dict) else ""
    if "://" in location and not S3.fullmatch(location):
        document.add((*path, key), f"Must be a path or s3://bucket/key, not {location!r}.")


def _check_custom(document: Document, path: Path, checks: Any) -> None:
    custom = checks.get("custom") if isinstance(checks, dict) else None
    for index, one in enumerate(custom if isinstance(custom, list) else ()):
        if isinstance(one, str) and one and not DOTTED.fullmatch(one):
            document.add((*path, index), f"Must be package.module:function, not {one!r}.")
