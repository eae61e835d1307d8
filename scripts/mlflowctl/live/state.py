"""A live test as the ledger's state tells it: the last entry of kind ``live``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EVENTS = (
    "started", "advanced", "passed", "aborted", "promoted", "baking", "baked", "rolled-back", "stopped",
)  # fmt: skip
OVER = ("aborted", "baked", "rolled-back", "stopped")


@dataclass(frozen=True)
class LiveTest:
    """How far a test is.

    Attributes:
        number: of the ledger's entry that says so.
        at: UTC, ISO 8601; by the clock of the machine that wrote it.
        event: one of ``EVENTS``.
        test: number of the entry that started it.
        index: of the ramp's step.
        step: the traffic's step when the entry was written, on which it rests.
        champion: that it is compared with.
        challenger: that is tested.
        policy: digest of the policy when it started.
        reason: in words.
        evidence: key of what it rests on; "" for none.
    """

    number: int
    at: str
    event: str
    test: int
    index: int
    step: int
    champion: int
    challenger: int
    policy: str
    reason: str = ""
    evidence: str = ""

    @classmethod
    def of(cls, state: dict[str, Any]) -> LiveTest | None:
        """The last test of the model; None if there never was one."""
        found = state.get("live")
        if not found:
            return None
        fields = {name: found[name] for name in cls.__dataclass_fields__ if name in found}
        # The entry that starts a test cannot know its own number.
        return cls(**{**fields, "test": found["test"] or found["number"]})

    @property
    def over(self) -> bool:
        return self.event in OVER

    @property
    def baking(self) -> bool:
        return self.event in ("promoted", "baking")

    def about(self, champion: int | None, challenger: int | None) -> bool:
        """Whether a test that is over still tells of the versions that serve now."""
        if self.event == "baked":
            return champion == self.challenger and challenger is None
        if self.event == "rolled-back":
            return champion == self.champion and challenger is None
        return (champion, challenger) == (self.champion, self.challenger)
