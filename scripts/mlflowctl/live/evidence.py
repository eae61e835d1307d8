"""The evidence of a live test: what was read of the gateways' records, and what it says.

It is small (a few kilobytes, however many requests), plain JSON, and with the records it can always be made
anew. Whoever is killed continues from the last evidence that was saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.live.judge import LiveVerdict, Terms, combined
from mlflowctl.live.mismatch import Mismatch, mismatch
from mlflowctl.live.tally import OutcomeNotes, StepTally
from mlflowctl.registry.live_policy import Live

if TYPE_CHECKING:
    from mlflowctl.registry.objects import Objects

SCHEMA = "mlflowctl.live-evidence/1"


@dataclass(frozen=True)
class Evidence:
    """What is known of a live test.

    Attributes:
        champion: version.
        challenger: version.
        steps: in the order of their numbers; those that had a share and no request yet are in it too.
        cursor: gateway → number of the last chunk of records that is in the evidence.
        began: the cursor with which the test began; earlier chunks are of no interest.
        mismatch_found: whether the shares were ever not as planned. Once true it stays true.
        first: when the first counted request came, seconds since 1970 UTC; None without any.
        last: when the last counted request came.
        ignored: records of other steps or versions.
        damaged: chunks of records that could not be read.
        outcomes: by the metric's name.
    """

    champion: int
    challenger: int
    steps: tuple[StepTally, ...] = ()
    cursor: Mapping[str, int] = field(default_factory=dict)
    began: Mapping[str, int] = field(default_factory=dict)
    mismatch_found: bool = False
    first: float | None = None
    last: float | None = None
    ignored: int = 0
    damaged: int = 0
    outcomes: Mapping[str, OutcomeNotes] = field(default_factory=dict)

    @property
    def seen(self) -> tuple[int, int]:
        """Counted requests (with sticky traffic: clients) of the champion and of the challenger."""
        return sum(one.champion.seen for one in self.steps), sum(one.challenger.seen for one in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "schema": SCHEMA,
            **{
                name: getattr(self, name)
                for name in ("champion", "challenger", "first", "last", "ignored", "damaged")
            },
            "mismatch_found": self.mismatch_found,
            "steps": [one.as_dict() for one in self.steps],
            "cursor": dict(sorted(self.cursor.items())),
            "began": dict(sorted(self.began.items())),
            "outcomes": {name: asdict(one) for name, one in sorted(self.outcomes.items())},
        }

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> Evidence:
        """What :meth:`as_dict` wrote.

        Raises:
            ValueError: something else.
        """
        if saved.get("schema") != SCHEMA:
            raise ValueError(f"this is {saved.get('schema')!r} and no {SCHEMA}")
        plain = {name: value for name, value in saved.items() if name in cls.__dataclass_fields__}
        plain["steps"] = tuple(StepTally.load(one) for one in saved["steps"])
        plain["outcomes"] = {name: OutcomeNotes(**one) for name, one in saved["outcomes"].items()}
        return cls(**plain)


def beginning(objects: Objects, model: str, champion: int, challenger: int) -> Evidence:
    """Empty evidence that begins after all records there are; take it before the first share is set.

    Without it the beginning is searched for, which takes some twenty reads a gateway.
    """
    from mlflowctl.serving.records import chunks

    # Newest last, so the last one seen of each gateway is its end.
    ends = dict(chunks(objects, model, {}))
    return Evidence(champion, challenger, cursor=ends, began=ends)


def gather(
    objects: Objects,
    model: str,
    steps: Mapping[int, float],
    champion: int,
    challenger: int,
    previous: Evidence | None,
    live: Live,
    folder: str,
    now: float,
    *,
    work: Path | None = None,
) -> Evidence:
    """Read the records and outcomes that are new.

    Args:
        objects: the registry bucket.
        model: name of the registered model.
        steps: number of the ledger entry → planned share, of every step of this test; shares of 0 and 1
            compare nothing and are left out.
        champion: version.
        challenger: version.
        previous: the evidence of the last look; None to read all records of the test.
        live: of the policy.
        folder: where relative paths of the policy start.
        now: seconds since 1970 UTC.
        work: a folder that survives a restart, for the index that outcomes and sticky traffic need. It may
            be lost at any time: it is made anew from the records. None: a temporary one of this process.

    Raises:
        UnavailableError, AccessError: what the store answered.
        ValueError: ``previous`` is of other versions.
    """
    from mlflowctl.live.gathering import Test, gathered
    from mlflowctl.live.skipping import before_step

    test = Test(objects, model, dict(steps), champion, challenger, live, folder)
    before = previous
    if before is None:
        start = before_step(objects, model, min(test.shares)) if test.shares else {}
        before = Evidence(champion, challenger, cursor=start, began=start)
    if (before.champion, before.challenger) != (champion, challenger):
        raise ValueError(f"the evidence is of {before.champion} and {before.challenger}")
    found = gathered(test, before, now, work)
    return replace(found, mismatch_found=before.mismatch_found or _shares(found).found)


def judge(
    evidence: Evidence, live: Live, alpha: float, expected: Mapping[str, float] | None = None
) -> LiveVerdict:
    """What the evidence says at this look.

    Args:
        evidence: as gathered.
        live: of the policy.
        alpha: of the policy; each bound of each metric is ever wrong with at most this probability.
        expected: metric's name → the champion's rate or mean as known before the test. A wrong one costs
            width, never validity.
    """
    from mlflowctl.live.metrics import judged

    terms = Terms(alpha=alpha, minimum=live.minimum)
    results = [judged(evidence, metric, terms, (expected or {}).get(metric.name)) for metric in live.metrics]
    shares = _shares(evidence)
    return combined(results, replace(shares, found=shares.found or evidence.mismatch_found))


def _shares(evidence: Evidence) -> Mismatch:
    return mismatch(evidence.steps, Terms.mismatch_alpha)
