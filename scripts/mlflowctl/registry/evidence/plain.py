"""Strings and numbers of strangers, made safe: for canonical JSON, for a terminal, for a page."""

from __future__ import annotations

import math
import re
from typing import Any

# Controls can move a terminal's cursor, and direction marks can make a text read backwards. Lone
# surrogates cannot be written as UTF-8 at all.
INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def visible(text: str, limit: int = 2000) -> str:
    """The text without characters that change how the rest is shown, cut after ``limit`` characters."""
    cut = len(text) - limit
    if cut > 0:
        text = f"{text[:limit]} … ({cut:,} more characters in evidence.json)"
    return INVISIBLE.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 300) -> str:
    """``visible``, on one line."""
    return " ".join(visible(text, limit).split())


def without_non_finite(value: Any) -> tuple[Any, dict[str, str]]:
    """The value as plain JSON types, and what JSON has no number for.

    Args:
        value: dicts with string keys, sequences, strings, numbers, booleans and None.

    Returns:
        The value with ``None`` in place of every NaN and infinity, and for each of these its place (a JSON
        pointer, RFC 6901) and its name.

    Raises:
        TypeError: something that JSON does not know.
    """
    notes: dict[str, str] = {}
    return _plain(value, "", notes), notes


def _plain(value: Any, place: str, notes: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_key(key): _plain(one, f"{place}/{_step(key)}", notes) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, f"{place}/{index}", notes) for index, one in enumerate(value)]
    if isinstance(value, str):
        return str(value)  # also an enum's member
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)  # also numpy's float64
        notes[place] = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return None
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(f"evidence cannot hold a {type(value).__name__} (at {place or '/'})")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"evidence cannot hold the key {key!r}: keys are strings")
    return str(key)


def _step(key: object) -> str:
    return _key(key).replace("~", "~0").replace("/", "~1")


def with_non_finite(value: Any, notes: dict[str, str]) -> Any:
    """Undo ``without_non_finite``: put the named numbers back, in place.

    Raises:
        LookupError, ValueError: a place that the value does not have.
    """
    for place, name in notes.items():
        steps = [step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:]]
        holder = value
        for step in steps[:-1]:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        last: Any = int(steps[-1]) if isinstance(holder, list) else steps[-1]
        if holder[last] is not None:
            raise ValueError(f"{place} is not null")
        holder[last] = NON_FINITE[name]
    return value
