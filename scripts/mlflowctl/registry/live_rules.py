"""What must fit together in the ``live`` section of a policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mlflowctl.registry.live_policy import ERROR_RATE
from mlflowctl.registry.policy_yaml import Document, Path, spelled

KINDS = (".csv", ".parquet", ".pq", ".jsonl", ".ndjson")
S3 = re.compile(r"s3://[^/?#\s]+/[^/\s].*")
ONLY = {
    "quantile": "latency",
    **dict.fromkeys(("data", "bounds", "window_minutes", "missing", "id_column", "value_column"), "outcomes"),
}
FINEST = 0.1  # milliseconds: how finely latency is told apart


def check_live(document: Document, path: Path, live: Any, meant: set[Path]) -> None:
    """Note what does not fit together.

    Args:
        document: gets the problems.
        path: of the section in the file.
        live: the section, as it stands in the file.
        meant: paths of keys that stand there misspelled; they do not count as missing.
    """
    if not isinstance(live, dict):
        return
    _check_steps(document, path, live)
    listed = live.get("metrics")
    metrics = {
        i: one for i, one in enumerate(listed if isinstance(listed, list) else ()) if isinstance(one, dict)
    }
    names: dict[str, Path] = {}
    for index, item in metrics.items():
        _check_name(document, (*path, "metrics", index), item, names)
        _check_metric(document, (*path, "metrics", index), item, meant)
    if ERROR_RATE.name in names and not any(one.get("source") == "errors" for one in metrics.values()):
        text = f"{ERROR_RATE.name!r} is the name of the guardrail that is added where none has source errors."
        document.add((*names[ERROR_RATE.name], "name"), text)


def _check_steps(document: Document, path: Path, live: Mapping[str, Any]) -> None:
    steps = live.get("steps")
    if not isinstance(steps, list):
        return
    if "share" in live:
        document.add((*path, "share"), "With steps, each step has its own share; leave this one out.")
    last: float | None = None
    for index, step in enumerate(steps):
        share = _number(step, "share") if isinstance(step, dict) else None
        if share is not None and last is not None and share <= last:
            text = f"Shares must rise from step to step; {share:g} follows {last:g}."
            document.add((*path, "steps", index, "share"), text)
        last = last if share is None else share


def _check_name(document: Document, path: Path, item: Mapping[str, Any], names: dict[str, Path]) -> None:
    name = item.get("name")
    if not isinstance(name, str) or not name:
        return
    if name in names:
        document.add((*path, "name"), f"The name {name!r} is taken by {spelled(names[name])}.")
    names.setdefault(name, path)


def _check_metric(document: Document, path: Path, item: Mapping[str, Any], meant: set[Path]) -> None:
    source = item.get("source")
    if item.get("role") == "guardrail" and item.get("rule") == "superior":
        document.add((*path, "rule"), "A guardrail is non-inferior; what must be better is a primary metric.")
    if not isinstance(source, str) or source not in ("errors", "latency", "outcomes"):
        return
    for key, owner in ONLY.items():
        if key in item and owner != source:
            document.add((*path, key), f"Only source: {owner} has {key}.")
    needed = {"latency": ("quantile",), "outcomes": ("data", "direction")}.get(source, ())
    missing = [key for key in needed if key not in item and (*path, key) not in meant]
    if missing:
        document.add(path, f"Source {source} needs {' and '.join(missing)}.")
    if source == "outcomes":
        _check_outcomes(document, path, item)
    elif item.get("direction") == "higher":
        document.add((*path, "direction"), f"Source {source} is better when lower, not higher.")
    _check_margin(document, path, item, source)


def _check_margin(document: Document, path: Path, item: Mapping[str, Any], source: str) -> None:
    """A margin in another unit than the metric's would let everything pass, or nothing."""
    margin = _number(item, "margin")
    if not margin:
        return
    where = (*path, "margin")
    if source == "errors" and margin >= 1:
        text = (
            f"An error rate is 0 to 1, so a margin of {margin:g} allows everything; 0.01 is one in a hundred."
        )
        document.add(where, text)
    if source == "latency" and margin < FINEST:
        text = f"Must be 0 or at least {FINEST:g}, not {margin:g}: latency is in milliseconds."
        document.add(where, text)
    bounds = _bounds(item)
    if source == "outcomes" and bounds and margin >= bounds[1] - bounds[0] > 0:
        text = (
            f"Outcomes from {bounds[0]:g} to {bounds[1]:g} cannot differ by more than a margin of {margin:g}."
        )
        document.add(where, text)


def _check_outcomes(document: Document, path: Path, item: Mapping[str, Any]) -> None:
    location, bounds = item.get("data"), _bounds(item)
    if isinstance(location, str) and location:
        _check_location(document, (*path, "data"), location)
    if bounds and not bounds[0] < bounds[1]:
        text = f"The first bound must be less than the second, not {bounds[0]:g} and {bounds[1]:g}."
        document.add((*path, "bounds"), text)
    elif bounds and item.get("missing", "zero") == "zero" and not bounds[0] <= 0 <= bounds[1]:
        text = (
            f"Requests without an outcome count as 0, outside {bounds[0]:g} to {bounds[1]:g}; missing: skip?"
        )
        document.add((*path, "bounds"), text)


def _check_location(document: Document, path: Path, location: str) -> None:
    if "://" in location and not S3.fullmatch(location):
        document.add(path, f"Must be a path or s3://bucket/key, not {location!r}.")
    elif not location.endswith("/") and PurePath(location).suffix.lower() not in KINDS:
        text = f"Must end in {', '.join(KINDS)}, or in / for all such files below it, not {location!r}."
        document.add(path, text)


def _bounds(item: Mapping[str, Any]) -> tuple[float, float] | None:
    found = item.get("bounds")
    if not isinstance(found, list) or len(found) != 2:
        return None
    numbers = [one for one in found if isinstance(one, int | float) and not isinstance(one, bool)]
    return (float(numbers[0]), float(numbers[1])) if len(numbers) == 2 else None


def _number(item: Mapping[str, Any], key: str) -> float | None:
    found = item.get(key)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
