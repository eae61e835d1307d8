"""What a controller sees at one look, and what it may do: plain data between looking, deciding and acting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mlflowctl.live.state import LiveTest
from mlflowctl.registry.verdict import Verdict
from mlflowctl.serving.traffic import Traffic, of_state

if TYPE_CHECKING:
    from mlflowctl.live.judge import LiveVerdict
    from mlflowctl.registry.live_policy import Live


class Act(StrEnum):
    """What is to be done. All but WAIT, END and REFUSE change something."""

    START = "start"  # journal a new test
    SHARE = "share"  # give the challenger the share that the last entry announces
    ADVANCE = "advance"  # journal the next step
    ABORT = "abort"  # share to 0 at once, then journal it
    NOTE_ABORT = "note the abort"  # a controller died between the two
    PASS = "pass"  # noqa: S105 (a verdict)
    PROMOTE = "promote"
    BAKE = "bake"
    BAKED = "baked"
    ROLL_BACK = "roll back"
    NOTE_ROLLBACK = "note the rollback"
    YIELD = "yield"  # somebody else decided; journal that the test ends
    WAIT = "wait"
    END = "end"  # the test is over
    REFUSE = "refuse"  # no test can begin


class Health(StrEnum):
    """How the challenger's server is, as asked through the gateway."""

    UNKNOWN = "unknown"  # no gateway here to ask, or it does not answer for anybody
    READY = "ready"
    STARTING = "starting"  # it answers, but not yet with the challenger's version
    DEAD = "dead"  # the champion answers and the challenger does not


@dataclass(frozen=True)
class Harm:
    """What baking has shown so far.

    Attributes:
        verdict: of the new champion against its predecessor's records.
        reason: in words.
    """

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Sight:
    """What the controller sees at one look.

    Attributes:
        state: the ledger's.
        live: the policy's section.
        policy: the policy's digest.
        elapsed: seconds since the present step began, or since the switch while baking, by the store's clock.
        verdict: of all evidence; None before the first.
        seen: the challenger's records of the present step.
        silent: seconds since the last new record; while nothing comes, harm would not show.
        health: of the challenger's server.
        bake: while baking.
        trouble: what of the evidence could not be read; nothing rests on the rest but an abort.
        barred: why a promotion was refused a moment ago; "" if it was not tried.
        mine: number of the test that this very controller was at; when it is over, so is the controller.
        again: a person wants a new test although the last one ended.
        stay: go on watching after the pass.
    """

    state: dict[str, Any]
    live: Live
    policy: str
    elapsed: float = 0.0
    verdict: LiveVerdict | None = None
    seen: int = 0
    silent: float = 0.0
    health: Health = Health.UNKNOWN
    bake: Harm | None = None
    trouble: str = ""
    barred: str = ""
    mine: int = 0
    again: bool = False
    stay: bool = False

    @property
    def traffic(self) -> Traffic:
        return of_state(self.state)

    @property
    def test(self) -> LiveTest | None:
        return LiveTest.of(self.state)


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
        act: what.
        reason: why, in words; it stands in the ledger.
        index: of the ramp's step that it is about.
        final: how the test ended, for END: an event of the ledger, or ``passed``.
        seconds: until the same look would decide otherwise; None: that depends on the records.
    """

    act: Act
    reason: str
    index: int = 0
    final: str = ""
    seconds: float | None = None
