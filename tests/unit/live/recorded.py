"""A registry bucket in memory with gateways' records, and a small live test to fill it with.

The real store is used in tests/stack; here only what it holds matters.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlflowctl.live.evidence import Evidence, gather
from mlflowctl.live.sums import Counts
from mlflowctl.registry.live_policy import ERROR_RATE, Live, LiveMetric
from mlflowctl.registry.objects import Stored
from mlflowctl.serving.records import Record, write_chunk
from mlflowctl.storage.settings import S3Settings

MODEL = "churn/eu"
CHAMPION, CHALLENGER = 6, 7
STEPS = {11: 0.2, 14: 0.5}
LATENCY = LiveMetric("p50", "lower", "guardrail", margin=50.0, source="latency", quantile=0.5)
SALES = LiveMetric(
    "sales",
    "higher",
    "primary",
    "superior",
    source="outcomes",
    data="sales.csv",
    bounds=(0.0, 1.0),
    window_minutes=1.0,
)


class Killed(BaseException):
    """As a process is killed: nothing catches it."""


@dataclass
class Bucket:
    """What :class:`mlflowctl.registry.objects.Objects` offers to readers of records.

    Attributes:
        held: bytes by key.
        visible: if not None, the keys that were written so far.
        killed_after: reads until the reader is killed; None for never.
    """

    held: dict[str, bytes] = field(default_factory=dict)
    visible: set[str] | None = None
    killed_after: int | None = None
    reads: int = 0
    settings: S3Settings = field(default_factory=lambda: S3Settings(endpoint_url="http://memory"))
    bucket: str = "mlflow-registry"

    def create(self, key: str, body: bytes) -> str | None:
        if key in self.held:
            return None
        self.held[key] = body
        return "etag"

    def get(self, key: str) -> Stored | None:
        self.reads += 1
        if self.killed_after is not None and self.reads > self.killed_after:
            raise Killed
        return Stored(self.held[key], "etag", 0.0) if key in self._keys() else None

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        return sorted(key for key in self._keys() if key.startswith(prefix) and key > after)[:limit]

    def folders(self, prefix: str) -> list[str]:
        return sorted({key[len(prefix) :].split("/")[0] for key in self._keys() if key.startswith(prefix)})

    def _keys(self) -> set[str]:
        return set(self.held) if self.visible is None else self.visible


def traffic(seed: int, requests: int) -> Iterator[Record]:
    """Requests of two steps, with strangers: another version, an earlier step, clients that come again."""
    draw = random.Random(seed)
    for number in range(requests):
        step = draw.choice([9, 11, 11, 14])
        new = draw.random() < STEPS.get(step, 0.5)
        version = CHALLENGER if new else draw.choice([CHAMPION, CHAMPION, CHAMPION, 5])
        yield Record(
            at=1000.0 + draw.choice([number, number - 30, 500]),
            request=f"r{number}",
            variant="challenger" if new else "champion",
            version=version,
            step=step,
            status=draw.choice([200, 200, 201, 304, 400, 500, 503]),
            ms=draw.choice([0.05, 3.0, 20.0, draw.lognormvariate(3, 1), 200_000.0]),
            client=draw.choice([None, "anna", "ben", f"c{number // 4}"]),
        )


def filled(records: list[Record], gateways: int, size: int) -> Bucket:
    """The records in chunks of ``size``, dealt out to gateways."""
    bucket = Bucket()
    for number, start in enumerate(range(0, len(records), size)):
        gateway, sequence = f"g{number % gateways}", number // gateways + 1
        write_chunk(bucket, MODEL, gateway, sequence, records[start : start + size])  # type: ignore[arg-type]
    return bucket


def split(requests: int, every: int = 5, **challenger: float) -> list[Record]:
    """Requests of one step, each ``every``-th to the challenger, whose records differ as told."""
    records = []
    for number in range(requests):
        new = number % every == 0
        fields = {"status": 200, "ms": 10.0, **(challenger if new else {})}
        variant, version = ("challenger", CHALLENGER) if new else ("champion", CHAMPION)
        records.append(
            Record(float(number), f"r{number}", variant, version, 11, int(fields["status"]), fields["ms"])
        )
    return records


def policy(*, sticky: bool = False, outcomes: bool = True) -> Live:
    return Live(sticky=sticky, metrics=(ERROR_RATE, LATENCY, *((SALES,) if outcomes else ())))


def look(
    bucket: Bucket,
    live: Live,
    folder: Path,
    previous: Evidence | None = None,
    now: float = 1e6,
    work: str = "work",
) -> Evidence:
    """One look at everything that is visible."""
    return gather(
        bucket,  # type: ignore[arg-type]
        MODEL,
        STEPS,
        CHAMPION,
        CHALLENGER,
        previous,
        live,
        str(folder),
        now,
        work=folder / work,
    )


VERSIONS = {"champion": CHAMPION, "challenger": CHALLENGER}


def sales(folder: Path, rows: list[tuple[str, float]]) -> None:
    text = "".join(f"{request},{value}\n" for request, value in rows)
    (folder / "sales.csv").write_text("request_id,value\n" + text)


def some_sales(requests: int, seed: int = 3) -> list[tuple[str, float]]:
    draw = random.Random(seed)
    return [(f"r{number}", draw.choice([0, 1, 1, 3])) for number in range(requests) if draw.random() < 0.4]


def counted(records: list[Record]) -> list[Record]:
    """The definition: records of the test's steps and versions."""
    return [one for one in records if one.step in STEPS and one.version == VERSIONS[one.variant]]


def clients(records: list[Record]) -> list[Record]:
    """The definition: of each client the earliest request; who has no name is somebody else each time."""
    first: dict[str, Record] = {}
    for one in counted(records):
        name = f"c {one.client}" if one.client else f"r {one.request}"
        if name not in first or one.at < first[name].at:
            first[name] = one
    return list(first.values())


def errors(evidence: Evidence) -> dict[tuple[int, str], Counts]:
    return {
        (step.number, name): getattr(step, name).errors
        for step in evidence.steps
        for name in VERSIONS
        if getattr(step, name).seen
    }


def expected_errors(records: list[Record]) -> dict[tuple[int, str], Counts]:
    seen = Counter((one.step, one.variant) for one in records)
    hits = Counter((one.step, one.variant) for one in records if not 200 <= one.status < 400)
    return {place: Counts(count, hits[place]) for place, count in seen.items()}
