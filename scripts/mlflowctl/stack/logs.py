"""Reading the components' logs, also while they are rotated."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from mlflowctl.errors import UsageError
from mlflowctl.stack.layout import COMPONENTS, Layout

SOURCES = (*COMPONENTS, "supervisor")


def tail(layout: Layout, component: str | None, *, lines: int, follow: bool) -> Iterator[str]:
    """The last ``lines`` lines of one log or of all (then with the component in front).

    Args:
        layout: the stack.
        component: one of :data:`SOURCES`; None for all.
        lines: how many of each.
        follow: go on with what is written, until interrupted.

    Raises:
        UsageError: there is no such component.
    """
    if component is not None and component not in SOURCES:
        raise UsageError(
            f"There is no component {component!r}.",
            state="Nothing was changed.",
            next=f"One of: {', '.join(SOURCES)}",
        )
    chosen = [component] if component else list(SOURCES)
    offsets: dict[str, tuple[int, int]] = {}  # component: (inode, position)
    for name in chosen:
        path = layout.log(name)
        offsets[name] = _end(path)
        for line in _last(path, lines):
            yield _labelled(name, line, single=component is not None)
    while follow:
        time.sleep(0.3)
        for name in chosen:
            fresh, offsets[name] = _since(layout.log(name), offsets[name])
            for line in fresh:
                yield _labelled(name, line, single=component is not None)


def _labelled(name: str, line: str, *, single: bool) -> str:
    return line if single else f"{name:<13}| {line}"


def _last(path: Path, lines: int) -> list[str]:
    try:
        with path.open(errors="replace") as handle:
            return [line.rstrip("\n") for line in deque(handle, maxlen=lines)]
    except OSError:
        return []


def _end(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
        return found.st_ino, found.st_size
    except OSError:
        return 0, 0


def _since(path: Path, mark: tuple[int, int]) -> tuple[list[str], tuple[int, int]]:
    """Whole lines written since the mark; a rotated (new, shorter) file is read from its start."""
    inode, position = mark
    try:
        with path.open("rb") as handle:
            size = path.stat().st_size
            if path.stat().st_ino != inode or size < position:
                position = 0
            handle.seek(position)
            text = handle.read()
            whole = text[: text.rfind(b"\n") + 1]
            lines = whole.decode(errors="replace").splitlines()
            return lines, (path.stat().st_ino, position + len(whole))
    except OSError:
        return [], mark
