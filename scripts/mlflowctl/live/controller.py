"""The controller of a live test: look, decide, act, until the test is over (docs/live.md).

One process per model. It may be killed at any moment and started again anywhere: what it knows is in the
ledger and in the registry bucket.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlflowctl.errors import (
    ConflictError,
    IllegalMoveError,
    InterruptedByUser,
    MlflowctlError,
    UnavailableError,
)
from mlflowctl.live import hold
from mlflowctl.live import notebook as notes
from mlflowctl.live.acts import Hands
from mlflowctl.live.decide import decide
from mlflowctl.live.health import Pulse
from mlflowctl.live.hold import Hold
from mlflowctl.live.journal import MovedOnError
from mlflowctl.live.running import Ended, Options, interruptible
from mlflowctl.live.sight import Act, Action, Sight
from mlflowctl.live.telling import described, left_behind
from mlflowctl.live.watch import Watch
from mlflowctl.registry import leases, moves
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import now, quoted
from mlflowctl.registry.policy import Policy

LONGEST = 5.0  # so that harm ends within ten seconds
SAVE_EVERY = 10.0  # seconds between two notes of the evidence
ASK_AGAIN = 15.0  # seconds until a promotion that was refused is tried again
BEHIND = 60.0  # seconds after which the same reason to wait is told again

Tell = Callable[[str], None]


def run(desk: Desk, model: str, policy: Policy, options: Options, tell: Tell) -> Ended:
    """Control the live test of a model until it is over.

    Args:
        desk: where.
        model: name of the registered model.
        policy: of the model.
        options: how.
        tell: gets one line for everything that happens.

    Raises:
        ControllerRunsError: there is a controller already.
        IllegalMoveError: there is nothing to test.
        InterruptedByUser: SIGTERM or Ctrl-C; the traffic stays as it is.
        ConflictError: another controller took over.
    """
    desk.registry.model_tags(model)  # raises if there is no such model
    with interruptible() as stop, hold.held(desk.objects, model, desk.actor) as lease:
        return Controller(desk, model, policy, options, tell, stop, lease).run()


@dataclass
class Controller:
    """The loop, and what it remembers between looks."""

    desk: Desk
    model: str
    policy: Policy
    options: Options
    tell: Tell
    stop: threading.Event
    lease: Hold
    watch: Watch = field(init=False)
    hands: Hands = field(init=False)
    again: bool = field(init=False)
    _said: tuple[str, float] = ("", 0.0)
    _saved: float = 0.0
    _noted: str = ""
    _asked: float = 0.0

    def __post_init__(self) -> None:
        self.watch = Watch(self.desk, self.model, self.policy, Pulse(self.options.gateway), self._work())
        self.hands = Hands(self.watch)
        self.again = self.options.again

    def _work(self) -> Path:
        from mlflowctl.stack.layout import DEFAULT_DATA_DIR

        layout = self.desk.context.layout
        above = layout.root if layout else DEFAULT_DATA_DIR
        return Path(above).expanduser().resolve() / "live" / quote(self.model, safe="")

    def run(self) -> Ended:
        while True:
            if ended := self.turn():
                return ended
            if self.stop.wait(min(self.options.interval, LONGEST)):
                raise self._interrupted()

    def turn(self) -> Ended | None:
        """Look and act until there is nothing to do but wait; the end, if it is reached."""
        while not self.stop.is_set():
            try:
                sight = self._look()
                action = decide(sight)
                if ended := self._ended(action, sight):
                    return ended
                if action.act is Act.WAIT:
                    return self._waiting(action, sight)
                self._say(described(action, sight))
                if not self._act(action, sight):
                    return Ended("going", self.hands.trouble, sight) if self.options.once else None
            except MovedOnError:
                time.sleep(0.1)  # the next look sees who it was
            except UnavailableError as exc:
                if self.options.once:
                    raise
                text = f"trouble: {exc.what} The traffic stays as it is; the next look tries again."
                self._say(text, waiting=True)
                return None
        raise self._interrupted()

    def _look(self) -> Sight:
        self._settle()
        barred = self.hands.barred if leases.clock() - self._asked < ASK_AGAIN else ""
        return self.watch.look(again=self.again, stay=self.options.stay, barred=barred)

    def _settle(self) -> None:
        """A move that a dead command left open is finished, as every command does."""
        left = self.watch.head.state["open"] if self.watch.head.number else True
        if left:
            with suppress(leases.LeaseHeldError):  # its command lives
                moves.settle(self.desk, self.model, wait=0)

    def _act(self, action: Action, sight: Sight) -> bool:
        if not self.lease.is_sure:
            raise ConflictError(
                f"Another controller may have taken over the live test of model {self.model!r}.",
                state="Nothing more was changed by this one.",
                next=f"mlflowctl live status {quoted(self.model)}",
            )
        done = self.hands.carry_out(action, sight)
        if action.act is Act.START:
            self.again = False
        if action.act is Act.PROMOTE and not done:
            self._asked = leases.clock()
        if self.hands.trouble:
            self._say(f"not done: {self.hands.trouble}")
        self._save(sight, action, at_once=done)
        return done

    def _ended(self, action: Action, sight: Sight) -> Ended | None:
        if action.act is Act.REFUSE:
            raise IllegalMoveError(
                f"There is nothing to test of model {self.model!r}: {action.reason}.",
                state="Nothing was changed.",
                next=f"mlflowctl model stage {quoted(self.model)} VERSION",
            )
        if action.act is not Act.END:
            return None
        self._save(sight, action, at_once=True)
        return Ended(action.final, action.reason, sight)

    def _waiting(self, action: Action, sight: Sight) -> Ended | None:
        self._say(f"wait: {action.reason}", waiting=True)
        self._save(sight, action, at_once=self.options.once)
        hold.note_look(self.lease)
        return Ended("going", action.reason, sight) if self.options.once else None

    def _save(self, sight: Sight, action: Action, *, at_once: bool) -> None:
        """Note the evidence for the next controller, and for ``live status``."""
        book = self.watch.notebook
        noted = f"{action.act} {_shape(action.reason)}"
        due = at_once or noted != self._noted or self._news() or leases.clock() - self._saved > SAVE_EVERY
        if book is None or not due:
            return
        verdict = notes.told_of(self.watch.verdict) if sight.verdict else book.told.get("verdict")
        if sight.verdict:
            book.remember(now(), verdict)
        book.told = {
            "at": now(),
            "act": str(action.act),
            "reason": action.reason,
            "seconds": action.seconds,
            "verdict": verdict,
            "baking": notes.told_results(self.watch.baked),
            "ramp": [{"share": one.share, "minutes": one.minutes} for one in self.policy.live.steps],
            "bake_minutes": self.policy.live.bake_minutes,
            "promote": self.policy.live.promote,
        }
        if not notes.save(self.desk.objects, self.model, book):
            self.watch.notebook = None  # another one wrote it; the lease will tell
        self._saved, self._noted = leases.clock(), noted

    def _news(self) -> bool:
        """What must not be lost: shares that were not as planned."""
        book = self.watch.notebook
        told = ((book.told.get("verdict") or {}).get("mismatch") or {}) if book else {}
        found = bool(book and book.evidence and book.evidence.mismatch_found)
        return found and not told.get("found")

    def _say(self, text: str, *, waiting: bool = False) -> None:
        """One line; a reason to wait that only counts on is not repeated at every look."""
        same = _shape(text)
        if waiting and same == self._said[0] and leases.clock() - self._said[1] < BEHIND:
            return
        self._said = (same, leases.clock())
        self.tell(f"{now()[11:19]}Z  {text}")

    def _interrupted(self) -> InterruptedByUser:
        state: dict[str, Any] = {}
        with suppress(MlflowctlError):
            state = self.desk.head(self.model).state
        return InterruptedByUser(
            f"The controller of model {self.model!r} was stopped.",
            state=left_behind(state),
            next="The same command goes on where it stopped; "
            f"mlflowctl model traffic {quoted(self.model)} --challenger 0 ends the risk.",
        )


def _shape(text: str) -> str:
    """A sentence without its numbers: one that only counts on is the same sentence."""
    return re.sub(r"[\d.,]+", "#", text)
