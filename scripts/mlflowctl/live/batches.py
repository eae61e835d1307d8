"""The records of a chunk as columns, and the counts that they add to."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mlflowctl.live.histogram import BUCKETS, EDGES, Histogram
from mlflowctl.live.index import UNIT, Rows, hashed
from mlflowctl.live.sums import Counts
from mlflowctl.live.tally import Arm
from mlflowctl.registry.objects import Objects
from mlflowctl.serving.records import Record, key, read_chunk

UNREADABLE = (ValueError, TypeError, EOFError, OSError, zlib.error)  # of a chunk that was fetched
VARIANTS = ("champion", "challenger")

Place = tuple[int, int]  # step and variant, 0 for the champion
Numbers = npt.NDArray[np.int64]


def failed(status: Numbers) -> npt.NDArray[np.bool_]:
    """Which answers count as errors.

    4xx too: MLflow's scoring server answers 400 when the model raises, and what clients do wrong by
    themselves both variants get alike.
    """
    return (status < 200) | (status >= 400)


@dataclass
class Tally:
    """Counts of one variant in one step."""

    failed: int = 0
    buckets: Numbers = field(default_factory=lambda: np.zeros(BUCKETS + 1, dtype=np.int64))

    def arm(self) -> Arm:
        filled = np.flatnonzero(self.buckets)
        histogram = Histogram(tuple(zip(filled.tolist(), self.buckets[filled].tolist(), strict=True)))
        return Arm(Counts(histogram.seen, self.failed), histogram)


@dataclass
class Reading:
    """What one look adds."""

    tallies: dict[Place, Tally] = field(default_factory=dict)
    ignored: int = 0
    damaged: int = 0
    first: float = np.inf
    last: float = -np.inf

    def add(self, batch: Batch) -> None:
        self.ignored += batch.ignored
        if not len(batch.at):
            return
        self.first = min(self.first, float(batch.at.min()))
        self.last = max(self.last, float(batch.at.max()))
        count(self.tallies, batch.step, batch.variant, batch.failed, batch.buckets)


@dataclass
class Batch:
    """The records of a chunk that belong to the test, as columns.

    Attributes:
        table: Arrow's; ids and clients stay in it until they are needed.
        ignored: records of the chunk that do not belong to the test.
    """

    table: Any
    ignored: int

    def __post_init__(self) -> None:
        self.at: npt.NDArray[np.float64] = self._numbers("at")
        self.step: Numbers = self._numbers("step")
        self.variant: Numbers = (self._texts("variant") == VARIANTS[1]).astype(np.int64)
        self.failed = failed(self._numbers("status"))
        self.buckets: Numbers = np.searchsorted(EDGES, self._numbers("ms"))

    def _numbers(self, name: str) -> Any:
        return self.table[name].to_numpy()

    def _texts(self, name: str) -> Any:
        return np.asarray(self.table[name].to_numpy(zero_copy_only=False), dtype=object)

    def units(self, sticky: bool) -> Rows:
        """What the index keeps: each request, or each client's."""
        requests = self._texts("request")
        rows = np.empty(len(requests), dtype=UNIT)
        rows["request"] = hashed(requests)
        rows["unit"] = rows["request"]
        if sticky:
            # Who has no name is somebody else each time.
            pairs = zip(self._texts("client"), requests, strict=True)
            rows["unit"] = hashed(
                [f"client {client}" if client else f"request {request}" for client, request in pairs]
            )
        rows["at"], rows["step"], rows["variant"] = self.at, self.step, self.variant
        rows["error"], rows["bucket"] = self.failed, self.buckets
        return rows


def arm_of(records: Sequence[Record]) -> Arm:
    """What some records amount to, whatever their step and version."""
    tally = Tally()
    tally.failed = int(failed(np.array([one.status for one in records], dtype=np.int64)).sum())
    milliseconds = np.array([one.ms for one in records], dtype=np.float64)
    tally.buckets += np.bincount(np.searchsorted(EDGES, milliseconds), minlength=BUCKETS + 1)
    return tally.arm()


def count(
    tallies: dict[Place, Tally],
    steps: Numbers,
    variants: Numbers,
    errors: npt.NDArray[Any],
    buckets: npt.NDArray[Any],
) -> None:
    """Add requests to the counts of their step and variant; arguments are columns, shape (n,)."""
    codes = 2 * steps.astype(np.int64) + variants
    for code in np.unique(codes).tolist():
        here = codes == code
        tally = tallies.setdefault(divmod(code, 2), Tally())
        tally.failed += int(errors[here].sum())
        tally.buckets += np.bincount(buckets[here], minlength=BUCKETS + 1)


def read_batch(
    objects: Objects,
    model: str,
    gateway: str,
    sequence: int,
    steps: Sequence[int],
    versions: tuple[int, int],
) -> Batch | None:
    """A chunk's records that belong to a test.

    Args:
        objects: the registry bucket.
        model: name of the registered model.
        gateway: that wrote the chunk.
        sequence: its number.
        steps: of the test.
        versions: the champion's and the challenger's.

    Returns:
        None if it cannot be read. It will never be better, and the test must go on.
    """
    try:
        table = _table(objects, model, gateway, sequence)
    except UNREADABLE:
        return None
    variant, version = table["variant"].to_numpy(zero_copy_only=False), table["version"].to_numpy()
    mine = np.isin(table["step"].to_numpy(), list(steps))
    mine &= ((variant == VARIANTS[0]) & (version == versions[0])) | (
        (variant == VARIANTS[1]) & (version == versions[1])
    )
    return Batch(table.filter(mine), int((~mine).sum()))


def _table(objects: Objects, model: str, gateway: str, sequence: int) -> Any:
    """All records of a chunk; by Arrow's parser, which is ten times faster than Python's and knows no NaN."""
    import pyarrow as pa
    from pyarrow import json

    whole = {"at": pa.float64(), "step": pa.int64(), "version": pa.int64(), "status": pa.int64()}
    whole |= {"ms": pa.float64(), "variant": pa.string(), "request": pa.string()}
    schema = pa.schema([pa.field(name, kind, False) for name, kind in whole.items()])
    schema = schema.append(pa.field("client", pa.string()))
    stored = objects.get(key(model, gateway, sequence))
    content = gzip.decompress(stored.body) if stored is not None else b""
    if not content.strip():
        return schema.empty_table()
    options = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        table = json.read_json(io.BytesIO(content), parse_options=options)
        if not any(table[name].null_count for name in whole):
            return table
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    records = [asdict(one) for one in read_chunk(objects, model, gateway, sequence)]
    table = pa.Table.from_pylist(records, schema=schema)
    if any(table[name].null_count for name in whole):
        raise ValueError("a record lacks something")
    return table
