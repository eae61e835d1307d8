"""Telling how far a transfer is, on the way and at most every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

Tell = Callable[[str], None]
EVERY = 2.0  # seconds


class Progress:
    """Counts objects and bytes; safe for several threads.

    Args:
        what: is being transferred, in words: "bucket mlflow-artifacts".
        tell: takes a line.
        objects: how many there will be; 0 if that is not known.
    """

    def __init__(self, what: str, tell: Tell, objects: int = 0) -> None:
        self.what, self.tell, self.expected = what, tell, objects
        self.objects = self.copied = self.bytes = 0
        self._began = self._said = time.monotonic()
        self._lock = threading.Lock()

    def moved(self, size: int) -> None:
        """So many bytes went over the line."""
        with self._lock:
            self.bytes += size
            self._perhaps()

    def done(self, *, copied: bool) -> None:
        """One object is through; ``copied`` if its bytes had to go over the line."""
        with self._lock:
            self.objects += 1
            self.copied += copied
            self._perhaps()

    def finish(self) -> None:
        """The last line."""
        self.tell(f"  {self.line()}")

    def line(self) -> str:
        """As it stands: objects, bytes, rate."""
        seconds = max(time.monotonic() - self._began, 0.001)
        of = f" of {self.expected:,}" if self.expected else ""
        kept = self.objects - self.copied
        there = f", {kept:,} of them there already" if kept else ""
        rate = f", {human(self.bytes / seconds)}/s" if self.bytes else ""
        return f"{self.what}: {self.objects:,}{of} objects{there}, {human(self.bytes)} moved{rate}"

    def _perhaps(self) -> None:
        now = time.monotonic()
        if now - self._said >= EVERY:
            self._said = now
            self.tell(f"  {self.line()}")


def human(size: float) -> str:
    """Bytes for people: "3.4 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
