"""What is kept of the requests of one variant in one step of the ramp, and how it becomes plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mlflowctl.live.histogram import Histogram
from mlflowctl.live.sums import Counts, Moments


@dataclass(frozen=True)
class Arm:
    """The requests of one variant in one step.

    Attributes:
        errors: how many were counted, and how many of them failed (:func:`mlflowctl.live.batches.failed`).
        latency: of the same requests, failed ones included: who waits for an error waits.
        outcomes: by the metric's name, of the requests whose window is over.
    """

    errors: Counts = field(default_factory=Counts)
    latency: Histogram = field(default_factory=Histogram)
    outcomes: Mapping[str, Moments] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        """Requests; with sticky traffic clients."""
        return self.errors.seen

    def as_dict(self) -> dict[str, Any]:
        return {
            "errors": asdict(self.errors),
            "latency": self.latency.as_dict(),
            "outcomes": {name: asdict(one) for name, one in sorted(self.outcomes.items())},
        }

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> Arm:
        """What :meth:`as_dict` wrote."""
        outcomes = {name: Moments(**one) for name, one in saved["outcomes"].items()}
        return cls(Counts(**saved["errors"]), Histogram.load(saved["latency"]), outcomes)


@dataclass(frozen=True)
class StepTally:
    """One step of the ramp.

    Attributes:
        number: of the ledger entry that set the share.
        share: planned share of the challenger, above 0 and below 1.
        champion: its requests.
        challenger: its requests.
    """

    number: int
    share: float
    champion: Arm = field(default_factory=Arm)
    challenger: Arm = field(default_factory=Arm)

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "share": self.share,
            "champion": self.champion.as_dict(),
            "challenger": self.challenger.as_dict(),
        }

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> StepTally:
        """What :meth:`as_dict` wrote."""
        arms = Arm.load(saved["champion"]), Arm.load(saved["challenger"])
        return cls(int(saved["number"]), float(saved["share"]), *arms)


@dataclass(frozen=True)
class OutcomeNotes:
    """How the outcomes of one metric were matched with requests, at the last look.

    Attributes:
        rows: read so far, from all files.
        repeated: rows whose id had come before; the first one that was read counts.
        unusable: rows without an id, or whose value is no finite number.
        unknown: ids that no counted request of this test has.
        waiting: requests whose window is not over; they do not count yet.
        missing: requests whose window is over without an outcome.
        capped: outcomes outside the bounds, counted as the bound.
        silent: requests whose window is over since the last one with an outcome.
        problem: why the outcomes could not be read at this look; "" if they could.
    """

    rows: int = 0
    repeated: int = 0
    unusable: int = 0
    unknown: int = 0
    waiting: int = 0
    missing: int = 0
    capped: int = 0
    silent: int = 0
    problem: str = ""
