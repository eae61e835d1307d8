"""Ctrl-C and SIGTERM: raised inside a step, noted between steps, so that clean-up always has its turn."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Interruption:
    """Whether somebody wants the test to end.

    Attributes:
        came: a signal has arrived.
    """

    def __init__(self) -> None:
        self.came = False
        self._in_a_step = False

    def arrive(self, *_: object) -> None:
        """The signal handler."""
        self.came = True
        if self._in_a_step:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """A signal that arrives inside the block raises KeyboardInterrupt."""
        try:
            self._in_a_step = True
            yield
        finally:
            self._in_a_step = False


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """Take SIGINT and SIGTERM over for the block, if this is the main thread."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {
        number: signal.signal(number, interruption.arrive) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
