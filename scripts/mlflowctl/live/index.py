"""Which request had which outcome, on disk, because ten million ids do not belong in memory.

Made only if the policy has outcomes or sticky traffic. Rows are appended to 256 files by the hash of what
they are joined by, so a sum needs one small file at a time, sorted in memory; a database's tree would write
each of its pages again and again. What a crash leaves behind the lengths in the manifest was never there.
All of it can be lost at any time: whoever finds it gone, or from before a reboot, reads the records again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlflowctl.files import write_atomic

PARTS = 256
# What counts once: a request, or with sticky traffic a client, as its first request.
UNIT = np.dtype(
    [
        ("unit", "<i8"), ("at", "<f8"), ("request", "<i8"), ("step", "<i4"), ("variant", "<i1"),
        ("error", "<i1"), ("bucket", "<i2"),
    ]
)  # fmt: skip
OUTCOME = np.dtype([("request", "<i8"), ("value", "<f8")])
SPARSE = 2  # a file with so many times the rows that count is written anew

Keys = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]


def hashed(texts: Sequence[str]) -> Keys:
    """64 bits of each text (SipHash). Two of ten million ids share one with a chance of 1 in 400,000."""
    from pandas.util import hash_array

    if not len(texts):
        return np.zeros(0, dtype=np.int64)
    found: Keys = hash_array(np.array(texts, dtype=object), categorize=False).view(np.int64)
    return found


class Index:
    """The index of one test; one that belongs to another test, or is damaged, is begun anew.

    Args:
        folder: for its files, and nothing else.
        identity: of the test; says what the files must be about.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self._state = _read(folder, identity)
        if self._state is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            self._state = {
                "identity": identity, "boot": _boot(), "cursor": {}, "files": {}, "rows": {},
                "summed": None, "seconds": 0.0,
            }  # fmt: skip

    @contextmanager
    def saved(self) -> Iterator[None]:
        """All or nothing of what is written within."""
        before = deepcopy(self._state)
        try:
            yield
        except BaseException:
            self._state = before
            raise
        write_atomic(self.folder / "manifest.json", json.dumps(self._state))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All or nothing of the rows that are added within."""
        before = deepcopy(self._state["rows"])
        try:
            yield
        except BaseException:
            self._state["rows"] = before
            raise

    @property
    def cursor(self) -> dict[str, int]:
        """Gateway → number of the last chunk that is in here."""
        return dict(self._state["cursor"])

    def move(self, cursor: dict[str, int]) -> None:
        self._state["cursor"] |= cursor

    @property
    def summed(self) -> tuple[float | None, float]:
        """When the sums were last made, and how many seconds that took."""
        return self._state["summed"], self._state["seconds"]

    def note_sums(self, at: float, seconds: float) -> None:
        self._state |= {"summed": at, "seconds": seconds}

    def mark(self, metric: int, name: str) -> str | None:
        """What :meth:`read` said of a file of outcomes; None if it was not read."""
        found = self._state["files"].get(f"{metric} {name}")
        return None if found is None else str(found[0])

    def read(self, metric: int, name: str, mark: str, rows: int, unusable: int) -> None:
        """Note that a file of outcomes was read, how many rows it had, and how many were no outcomes."""
        self._state["files"][f"{metric} {name}"] = [mark, rows, unusable]

    def rows(self, metric: int) -> tuple[int, int]:
        """Rows of outcomes that were read, and those of them that were no outcomes."""
        mine = [one for name, one in self._state["files"].items() if name.startswith(f"{metric} ")]
        return sum(one[1] for one in mine), sum(one[2] for one in mine)

    def add(self, units: Rows) -> None:
        """Requests; of one that is there already, or of a client, the earliest will count."""
        self.append("units", units, units["unit"])

    def put(self, metric: int, requests: Keys, values: npt.NDArray[np.float64]) -> None:
        """Outcomes; of several with the same id the first that was read counts."""
        rows = np.empty(len(requests), dtype=OUTCOME)
        rows["request"], rows["value"] = requests, values
        self.append(f"outcomes-{metric}", rows, requests)

    def units(self, part: int) -> Rows:
        """The units of one part, in the order of their hashes; each as its earliest request."""
        rows = self.part("units", part, UNIT)
        kept = _earliest(rows)
        self._thin("units", part, rows, kept)
        return kept

    def outcomes(self, metric: int, part: int) -> Rows:
        """The outcomes of one part, in the order of their hashes; the first of each id."""
        rows = self.part(f"outcomes-{metric}", part, OUTCOME)
        _, first = np.unique(rows["request"], return_index=True)
        kept: Rows = rows[first]
        # The order of reading says which is first, and stays.
        self._thin(f"outcomes-{metric}", part, rows, rows[np.sort(first)])
        return kept

    def append(self, name: str, rows: Rows, keys: Keys) -> None:
        """Add rows to the parts that their keys belong to."""
        parts = keys.view(np.uint64) >> np.uint64(56)
        order = np.argsort(parts, kind="stable")
        ends = np.searchsorted(parts[order], np.arange(PARTS + 1, dtype=np.uint64))
        lengths = self._state["rows"].setdefault(name, [0] * PARTS)
        for part in np.flatnonzero(np.diff(ends)).tolist():
            piece = rows[order[ends[part] : ends[part + 1]]]
            _write(self._path(name, part), piece.tobytes(), lengths[part] * rows.dtype.itemsize)
            lengths[part] += len(piece)

    def part(self, name: str, part: int, kind: np.dtype[Any]) -> Rows:
        """The rows of one part, as they were added."""
        count = self._state["rows"].get(name, [0] * PARTS)[part]
        if not count:
            return np.empty(0, dtype=kind)
        rows: Rows = np.fromfile(self._path(name, part), dtype=kind, count=count)
        if len(rows) < count:
            raise DamagedError(f"{self._path(name, part)} is too short")
        return rows

    def drop(self, name: str) -> None:
        """Forget rows that are needed for one sum only."""
        self._state["rows"].pop(name, None)

    def _thin(self, name: str, part: int, rows: Rows, kept: Rows) -> None:
        """Repeated rows are removed for good when they are most of a file."""
        if len(rows) > SPARSE * len(kept):
            self._state["rows"][name][part] = len(kept)
            beside = self.folder / "thinned"
            beside.unlink(missing_ok=True)
            _write(beside, kept.tobytes(), 0)
            beside.replace(self._path(name, part))

    def _path(self, name: str, part: int) -> Path:
        return self.folder / f"{name}-{part:02x}"


class DamagedError(Exception):
    """The files do not hold what the manifest says."""


def _earliest(rows: Rows) -> Rows:
    order = np.argsort(rows["unit"], kind="stable")
    units = rows["unit"][order]
    if not (units[1:] == units[:-1]).any():
        return rows[order]
    # Ties are broken by all there is, so that the order of reading never matters.
    names = ("bucket", "error", "variant", "step", "request", "at", "unit")
    order = np.lexsort([rows[name] for name in names])
    _, first = np.unique(rows["unit"][order], return_index=True)
    kept: Rows = rows[order[first]]
    return kept


def _write(path: Path, content: bytes, at: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        with memoryview(content) as view:
            done = 0
            while done < len(view):
                done += os.pwrite(descriptor, view[done:], at + done)
    finally:
        os.close(descriptor)


def _read(folder: Path, identity: str) -> Any:
    """The manifest; None if there is none that is about this test and this boot."""
    try:
        found = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return None
    mine = isinstance(found, dict) and (found.get("identity"), found.get("boot")) == (identity, _boot())
    return found if mine else None


def _boot() -> str:
    """Names this boot: what was written before a power cut may not be on the disk."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
