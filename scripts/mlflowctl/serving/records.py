"""The gateway's records in the registry bucket: who answered which request, how, and how fast.

Chunks of JSON lines, immutable once written, one series per gateway. Nothing of a request's content is kept.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from mlflowctl.storage.desired import RECORDS_PREFIX

if TYPE_CHECKING:
    from mlflowctl.registry.objects import Objects

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """One answered request.

    Attributes:
        at: when it came, seconds since 1970 UTC.
        request: its id, as the answer told it.
        variant: ``champion`` or ``challenger``: the part it was given to.
        version: that answered it.
        step: the share that held, by the number of its ledger entry.
        status: HTTP status; 502, 503 or 504 where no server answered.
        ms: from the request's arrival to the end of its answer.
        client: who asked, as far as the gateway knows: the sticky cookie's value or the address.
    """

    at: float
    request: str
    variant: str
    version: int
    step: int
    status: int
    ms: float
    client: str | None = None


def prefix(model: str) -> str:
    """The folder of a model's records."""
    return f"{RECORDS_PREFIX}{quote(model, safe='')}/"


def key(model: str, gateway: str, sequence: int) -> str:
    """Where a chunk is."""
    return f"{prefix(model)}{gateway}/{sequence:012d}.jsonl.gz"


def write_chunk(objects: Objects, model: str, gateway: str, sequence: int, records: Iterable[Record]) -> bool:
    """Write one chunk.

    Returns:
        False if another chunk has that number.
    """
    lines = "".join(json.dumps(asdict(one), separators=(",", ":")) + "\n" for one in records)
    body = gzip.compress(lines.encode(), compresslevel=3, mtime=0)
    return objects.create(key(model, gateway, sequence), body) is not None


def chunks(objects: Objects, model: str, after: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The chunks beyond those that are known.

    Args:
        objects: the registry bucket.
        model: name of the registered model.
        after: gateway → the last sequence number that was read.
    """
    for gateway in sorted(objects.folders(prefix(model))):
        last = after.get(gateway, 0)
        while found := objects.keys_after(
            f"{prefix(model)}{gateway}/", key(model, gateway, last) if last else "", PAGE
        ):
            for one in found:
                last = int(one.rsplit("/", 1)[1].split(".")[0])
                yield gateway, last


def read_chunk(objects: Objects, model: str, gateway: str, sequence: int) -> Iterator[Record]:
    """The records of one chunk; none if it is gone."""
    stored = objects.get(key(model, gateway, sequence))
    if stored is None:
        return
    for line in gzip.decompress(stored.body).splitlines():
        yield Record(**json.loads(line))
