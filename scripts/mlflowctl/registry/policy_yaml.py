"""YAML read strictly: plain data and the line of everything, and no surprise passes silently.

PyYAML takes the last of two equal keys, makes dates of text that looks like one, and expands aliases without
an end. A policy decides what may serve, so all of these are problems here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LIMIT = 1_000_000  # characters of a file
VALUES = 20_000  # values in a file, each use of an alias counted again
DEPTH = 30
PLAIN = re.compile(r"[A-Za-z0-9_-]+")
EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+")  # 1e-3, which YAML 1.1 takes for text
TAG = "tag:yaml.org,2002:"
TYPES = {f"{TAG}{name}" for name in ("str", "int", "float", "bool", "null")}

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file.

    Attributes:
        path: where: ``models.churn.metrics[0].margin``; "" for the file as a whole.
        line: counted from 1.
        message: what is wrong, as one sentence.
    """

    path: str
    line: int
    message: str


@dataclass
class Document:
    """A file as plain data.

    Attributes:
        data: mappings, lists, text, finite numbers, bools and None; None if nothing could be read.
        lines: of each path that stands in the file.
        problems: found on the way.
        unreadable: paths of values that were left out, so that nobody complains of them a second time.
    """

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[Path] = field(default_factory=set)

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def add(self, path: Path, message: str, line: int = 0) -> None:
        """Note a problem, once."""
        problem = Problem(spelled(path), line or self.line(path), message)
        if problem not in self.problems:
            self.problems.append(problem)


class _TooMuch(Exception):
    """The file holds more than any policy would."""


def spelled(path: Path) -> str:
    """A path as people write it: ``models["my model"].metrics[0]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def read(text: str) -> Document:
    """Read a YAML file.

    Args:
        text: the whole file.

    Returns:
        Its data with lines and problems; it raises nothing, whatever the text is.
    """
    document = Document()
    if len(text) > LIMIT:
        document.add((), f"The file has more than {LIMIT // 1_000_000} MB; a policy is much smaller.")
        return document
    root = _compose(text, document)
    if root is None:
        if not document.problems:
            document.add((), "The file is empty.")
        return document
    try:
        document.data = _Reader(document).value(root, ())
    except _TooMuch as exc:
        document.data = None
        document.add((), str(exc), _line(root))
    return document


def _compose(text: str, document: Document) -> Any:
    import yaml

    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        document.add((), "The file is nested too deeply.")
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        what = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "it cannot be parsed"
        document.add((), f"This is no YAML: {what}.", mark.line + 1 if mark else 1)
    return None


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


class _Reader:
    """Turns nodes into plain data. Own code, because PyYAML's constructor drops lines and repeated keys."""

    def __init__(self, document: Document) -> None:
        from yaml.constructor import SafeConstructor

        self.document = document
        self.values = 0
        self.scalars = SafeConstructor()

    def value(self, node: Any, path: Path) -> Any:
        import yaml

        self.values += 1
        if self.values > VALUES or len(path) > DEPTH:
            raise _TooMuch("The file is too large or nested too deeply once its aliases are followed.")
        self.document.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG}map":
            return {key: self.value(inner, (*path, key)) for key, inner in self._pairs(node, path)}
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG}seq":
            return [self.value(inner, (*path, index)) for index, inner in enumerate(node.value)]
        return self._scalar(node, path)

    def _pairs(self, node: Any, path: Path) -> Iterator[tuple[str, Any]]:
        """Keys as they are written: a model called 2024 or yes is a name, and no number or truth value."""
        seen: dict[str, int] = {}
        for name, inner in node.value:
            if not isinstance(name.value, str):
                self.document.add(path, "A key must be a name.", _line(name))
                continue
            key, line = name.value, _line(name)
            if key in seen:
                text = f"This key stands here a second time; it was in line {seen[key]} before."
                self.document.add((*path, key), text, line)
                continue
            seen[key] = line
            self.document.lines[(*path, key)] = line
            if not key.isprintable():
                self.document.add((*path, key), "A key must not contain line breaks or control characters.")
            yield key, inner

    def _scalar(self, node: Any, path: Path) -> Any:
        if not isinstance(node.value, str) or node.tag not in TYPES:
            return self._refuse(node, path, f"{_kind(node.tag)} cannot stand here{_hint(node.tag)}.")
        if node.tag == f"{TAG}str" and node.style is None and EXPONENT.fullmatch(node.value):
            node.tag = f"{TAG}float"
        try:
            value = self.scalars.construct_object(node)
            finite = not isinstance(value, int | float) or math.isfinite(value)
        except (ValueError, OverflowError):
            return self._refuse(node, path, "This number cannot be read.")
        if not finite:
            return self._refuse(node, path, f"Must be a finite number, not {node.value}.")
        if isinstance(value, str) and not value.isprintable():
            return self._refuse(node, path, "Must not contain line breaks or control characters.")
        if isinstance(value, str) and value != value.strip():
            return self._refuse(node, path, "Must not begin or end with a space.")
        return value

    def _refuse(self, node: Any, path: Path, message: str) -> None:
        self.document.add(path, message, _line(node))
        self.document.unreadable.add(path)


def _kind(tag: str) -> str:
    return {f"{TAG}timestamp": "A date", f"{TAG}binary": "Binary data"}.get(
        tag, f"The tag {tag.replace(TAG, '!!')}"
    )


def _hint(tag: str) -> str:
    return "; put it in quotes if it is text" if tag == f"{TAG}timestamp" else ""
