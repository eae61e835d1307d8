"""Does the challenger's server answer? Asked through the gateway, several times before it is called dead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mlflowctl.live.sight import Health
from mlflowctl.registry.leases import clock
from mlflowctl.serving.endpoints import Endpoint, probe

PAUSE = 1.0  # seconds between two probes of one look
FAILURES = 3  # quick ones in a row; one that waited in vain counts as all of them, or an abort came too late
SLOW = 2.0  # seconds
PATIENCE = 120.0  # seconds for a server that starts while it has a share already


@dataclass
class Pulse:
    """The challenger's pulse.

    A gateway that was started anew has a challenger that is still loading; that is no death. So it counts as
    dead only if it was seen alive since the gateway last answered nobody.

    Attributes:
        url: of the gateway; None: there is none to ask.
        ask: for the tests.
    """

    url: str | None
    ask: Callable[[str, str], Endpoint] = probe
    pause: Callable[[float], None] = time.sleep
    now: Callable[[], float] = clock
    alive: bool = field(default=False, init=False)
    silent_since: float | None = field(default=None, init=False)

    def feel(self, challenger: int, *, has_share: bool) -> Health:
        """How it is at this look.

        Args:
            challenger: version that should answer.
            has_share: whether clients are sent to it.
        """
        if self.url is None:
            return Health.UNKNOWN
        failures = 0
        while True:
            found = self.ask(self.url, "challenger")
            if found.ok and found.version == challenger:
                self.alive, self.silent_since = True, None
                return Health.READY
            if not self.ask(self.url, "champion").ok:
                self.alive, self.silent_since = False, None
                return Health.UNKNOWN
            if not (self.alive and has_share):
                return self._starting(has_share)
            failures += FAILURES if found.seconds > SLOW else 1
            if failures >= FAILURES:
                return Health.DEAD
            self.pause(PAUSE)

    def _starting(self, has_share: bool) -> Health:
        if not has_share:
            return Health.STARTING
        if self.silent_since is None:
            self.silent_since = self.now()
        return Health.DEAD if self.now() - self.silent_since > PATIENCE else Health.STARTING
