"""A few transfers at a time, their results in order, and none left running after an error or Ctrl-C."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 6  # each holds a few megabytes at most
WINDOW = 64  # how far the quick ones may run ahead of a slow one


def ordered(work: Callable[[T], R], things: Iterable[T], stop: threading.Event) -> Iterator[R]:
    """``work`` of each thing, a few at a time, results in the order of the things.

    Args:
        work: called in several threads; must end soon once ``stop`` is set.
        things: taken as they are needed.
        stop: set when nothing more is wanted.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for thing in things:
                waiting.append(pool.submit(work, thing))
                if len(waiting) >= WINDOW:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def save(pieces: Iterable[bytes], target: Path) -> tuple[str, int]:
    """Write what comes to a file of the owner's alone; its SHA-256 (hex) and size."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as handle:
        target.chmod(0o600)
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            handle.write(piece)
    return digest.hexdigest(), size


def digest_of(pieces: Iterable[bytes], moved: Callable[[int], None] | None = None) -> tuple[str, int]:
    """SHA-256 (hex) and size of what comes."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        if moved:
            moved(len(piece))
    return digest.hexdigest(), size
