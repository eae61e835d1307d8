"""How a controller is run and how it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlflowctl.live.sight import Sight

INTERVAL = 2.0  # seconds between two looks


@dataclass(frozen=True)
class Options:
    """How the controller runs.

    Attributes:
        interval: seconds between two looks.
        once: one look and what follows from it, for cron.
        again: a new test although the last one of these versions ended.
        stay: go on watching after the pass, until a person promotes.
        gateway: address of the gateway to ask for the challenger's health; None: nobody is asked.
    """

    interval: float = INTERVAL
    once: bool = False
    again: bool = False
    stay: bool = False
    gateway: str | None = None


@dataclass(frozen=True)
class Ended:
    """How it ended.

    Attributes:
        final: ``passed``, ``baked``, ``aborted``, ``rolled-back``, ``stopped``, ``policy``, or
            ``going`` after ``--once``.
        reason: in words.
        sight: the last look.
    """

    final: str
    reason: str
    sight: Sight

    def as_dict(self, model: str) -> dict[str, Any]:
        """For ``--json``."""
        test = self.sight.test
        return {
            "model": model,
            "final": self.final,
            "reason": self.reason,
            "test": test.test if test else None,
            "champion": self.sight.state["champion"],
            "challenger": self.sight.state["challenger"],
            "share": self.sight.traffic.share,
            "evidence": test.evidence if test else "",
        }


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C set an event, so that a change that has begun is finished; the second interrupts."""
    stop = threading.Event()

    def ask(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {one: signal.signal(one, ask) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
