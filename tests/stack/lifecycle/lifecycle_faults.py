"""Faults between a command and the servers: death, a lost answer, a late request, another command between.

Every call of the registry's REST client and of the object store passes :meth:`Network.call`; the servers
behind it are real.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from mlflowctl.errors import MlflowctlError, UnavailableError
from mlflowctl.registry import leases
from mlflowctl.registry.objects import Objects
from mlflowctl.registry.port import RETIRE_TAG
from mlflowctl.registry.rest import Rest, UnknownOutcome

Kind = Literal["dies before", "dies after", "lost before", "lost after", "arrives late", "overtaken"]
KINDS: tuple[Kind, ...] = (
    "dies before",
    "dies after",
    "lost before",
    "lost after",
    "arrives late",
    "overtaken",
)
SWITCH = "model-versions/transition-stage"
PATCHED = ((Objects, ("get", "create", "replace", "keys_after")), (Rest, ("get", "post")))
LONG_AGO = -10_000.0  # as the slack of leases: every lease has run out


class SimulatedCrash(BaseException):
    """The command's process is gone; no code of its own may catch this."""


@dataclass
class Fault:
    """One fault of the next command.

    Attributes:
        kind: what happens.
        at: at which of its calls, from 1; "switch": at the transition call; "after": at the first behind it.
    """

    kind: Kind
    at: int | Literal["switch", "after"]


class Network:
    """Where calls pass, and where at most one fault waits."""

    def __init__(self) -> None:
        self.ahead = 0.0  # of the real clock: a process that was paused finds its leases over
        self.late: list[Callable[[], Any]] = []  # requests that were sent and did not arrive yet
        self.reset()
        self._lock = threading.Lock()

    def reset(self) -> None:
        """A new command begins, without a fault."""
        self.fault: Fault | None = None
        self.other: Callable[[], None] | None = None
        self.struck: str | None = None
        self.dead = False
        self.switched = False
        self.calls = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put this between the library and the servers."""
        clock = leases.clock
        patch.setattr(leases, "clock", lambda: clock() + self.ahead)
        for owner, names in PATCHED:
            for name in names:
                patch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self.call(real.__qualname__, lambda: real(*args, **kwargs), args[1:])

        return call

    def call(self, name: str, real: Callable[[], Any], args: tuple[Any, ...]) -> Any:
        """One request."""
        if self.dead:
            raise SimulatedCrash
        switching = name == "Rest.post" and args[0] == SWITCH
        fault = self._due(name, switching)
        return self._strike(fault.kind, name, real, args, switching) if fault else real()

    def _due(self, name: str, switching: bool) -> Fault | None:
        """The fault, if it strikes now; it does so once."""
        with self._lock:  # the ledger is read by several threads
            self.calls += 1
            fault, places = self.fault, {self.calls, "switch" if switching else "", "after" * self.switched}
            self.switched |= switching
            if fault is None or fault.at not in places:
                return None
            self.fault, self.struck = None, name
            return fault

    def _strike(
        self, kind: Kind, name: str, real: Callable[[], Any], args: tuple[Any, ...], switching: bool
    ) -> Any:
        if kind == "overtaken":
            self._overtake(sent=switching or RETIRE_TAG in str(args))
            return real()
        if kind in ("dies after", "lost after"):
            with contextlib.suppress(MlflowctlError):
                real()
        if kind == "arrives late" and switching:
            self.late.append(real)
        if kind.startswith("dies"):
            self.dead = True
            raise SimulatedCrash
        lost = UnknownOutcome if name == "Rest.post" else UnavailableError
        raise lost(f"{name}: the answer was lost.")

    def _overtake(self, sent: bool) -> None:
        """Another command in between. A request that is on its way ends before the lease does."""
        other, self.other = self.other, None
        assert other is not None
        if sent:
            other()
            return
        self.ahead += 2 * leases.TTL
        with leases_run_out():
            other()

    @contextlib.contextmanager
    def late_ones_behind(self) -> Iterator[None]:
        """What was sent before the block arrives after it."""
        late, self.late = self.late, []
        yield
        for request in late:
            with contextlib.suppress(MlflowctlError):
                request()

    def arrive(self) -> None:
        """What was sent arrives at last."""
        with self.late_ones_behind():
            pass


@contextlib.contextmanager
def leases_run_out() -> Iterator[None]:
    """For the block every lease has run out, as if its time had passed."""
    slack = leases.SLACK
    leases.SLACK = LONG_AGO
    try:
        yield
    finally:
        leases.SLACK = slack
