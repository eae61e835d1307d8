"""Which request had which outcome, on disk: an SQLite file, because ten million ids do not belong in memory.

Made only if the policy has outcomes or sticky traffic. It holds what the records and the outcomes say and
can be lost at any time: whoever finds it gone reads the records again. One transaction holds the records of
a chunk and the mark that it was read, so a process that is killed leaves no half of a chunk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Keys = npt.NDArray[np.int64]

CACHE_KB = 131_072  # pages in memory
ROWS = 65_536  # read from the index at a time
# What counts once: a request, or with sticky traffic a client, as its first request. Ties are broken by all
# that follows, so that the order of reading never matters.
TABLES = """
CREATE TABLE IF NOT EXISTS test (identity TEXT NOT NULL, summed REAL, seconds REAL);
CREATE TABLE IF NOT EXISTS cursor (gateway TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS units (
    unit INTEGER PRIMARY KEY, at REAL, request INTEGER, step INTEGER, variant INTEGER, error INTEGER,
    bucket INTEGER
);
CREATE TABLE IF NOT EXISTS files (
    metric INTEGER, name TEXT, mark TEXT, rows INTEGER, unusable INTEGER, PRIMARY KEY (metric, name)
) WITHOUT ROWID;
"""
OUTCOMES = "CREATE TABLE IF NOT EXISTS outcomes_{} (request INTEGER PRIMARY KEY, value REAL NOT NULL)"
EARLIER = """
INSERT INTO units VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (unit) DO UPDATE SET
    at = excluded.at, request = excluded.request, step = excluded.step, variant = excluded.variant,
    error = excluded.error, bucket = excluded.bucket
WHERE (excluded.at, excluded.request, excluded.step, excluded.variant, excluded.error, excluded.bucket)
    < (units.at, units.request, units.step, units.variant, units.error, units.bucket)
"""

Unit = tuple[int, float, int, int, int, int, int]


def hashed(texts: Sequence[str]) -> Keys:
    """64 bits of each text (SipHash). Two of ten million ids share one with a chance of 1 in 400,000."""
    import numpy as np
    from pandas.util import hash_array

    if not len(texts):
        return np.zeros(0, dtype=np.int64)
    found: Keys = hash_array(np.array(texts, dtype=object), categorize=False).view(np.int64)
    return found


class Index:
    """The index of one test; a file that belongs to another test is replaced.

    Args:
        path: of the file.
        identity: of the test; says what the file must be about.
        metrics: how many metrics have outcomes; they are numbered from 0.
    """

    def __init__(self, path: Path, identity: str, metrics: int) -> None:
        self._database = _opened(path, identity)
        for number in range(metrics):
            self._database.execute(OUTCOMES.format(number))

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def saved(self) -> Iterator[None]:
        """All or nothing of what is written within."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def cursor(self) -> dict[str, int]:
        """Gateway → number of the last chunk that is in here."""
        return dict(self._database.execute("SELECT gateway, sequence FROM cursor"))

    def move(self, cursor: Iterable[tuple[str, int]]) -> None:
        self._database.executemany("INSERT OR REPLACE INTO cursor VALUES (?, ?)", cursor)

    def add(self, units: list[Unit]) -> None:
        """Requests or clients; of one that is there already the earliest request stays."""
        self._database.executemany(EARLIER, sorted(units))  # in the order of the file's pages

    def mark(self, metric: int, name: str) -> str | None:
        """What :meth:`read` said of a file of outcomes; None if it was not read."""
        found = self._database.execute(
            "SELECT mark FROM files WHERE metric = ? AND name = ?", (metric, name)
        ).fetchone()
        return None if found is None else str(found[0])

    def read(self, metric: int, name: str, mark: str, rows: int, unusable: int) -> None:
        """Note that a file of outcomes was read, how many rows it had, and how many were no outcomes."""
        self._database.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", (metric, name, mark, rows, unusable)
        )

    def put(self, metric: int, requests: Keys, values: Iterable[float]) -> None:
        """Outcomes; of several with the same id the first that was read counts."""
        rows = zip(requests.tolist(), values, strict=True)
        self._database.executemany(f"INSERT OR IGNORE INTO outcomes_{metric} VALUES (?, ?)", rows)  # noqa: S608 (a number)

    def summed(self) -> tuple[float | None, float]:
        """When the sums were last made, and how many seconds that took."""
        at, seconds = self._database.execute("SELECT summed, coalesce(seconds, 0) FROM test").fetchone()
        return at, seconds

    def note_sums(self, at: float, seconds: float) -> None:
        self._database.execute("UPDATE test SET summed = ?, seconds = ?", (at, seconds))

    def counts(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Step, variant, error, bucket of latency, and how many units have these."""
        return iter(
            self._database.execute(
                "SELECT step, variant, error, bucket, count(*) FROM units GROUP BY 1, 2, 3, 4"
            )
        )

    def ends(self) -> tuple[float | None, float | None]:
        """When the first and the last unit came."""
        first, last = self._database.execute("SELECT min(at), max(at) FROM units").fetchone()
        return first, last

    def due(self, until: float) -> dict[tuple[int, int], int]:
        """Units that came at ``until`` or before, by step and variant."""
        found = self._database.execute(
            "SELECT step, variant, count(*) FROM units WHERE at <= ? GROUP BY 1, 2", (until,)
        )
        return {(step, variant): count for step, variant, count in found}

    def outcomes(self, metric: int, sticky: bool) -> Iterator[list[tuple[int, int, float, float]]]:
        """Step, variant, outcome and time of every unit with an outcome, in an order that the ids give."""
        # CROSS JOIN fixes the order of the loops: outcomes are few against requests, and both sides are in
        # the order of their keys; a client's first request has no key of its own.
        joined = (
            f"units u CROSS JOIN outcomes_{metric} o ON o.request = u.request"
            if sticky
            else f"outcomes_{metric} o CROSS JOIN units u ON u.unit = o.request"
        )
        found = self._database.execute(f"SELECT u.step, u.variant, o.value, u.at FROM {joined}")  # noqa: S608 (constants)
        while rows := found.fetchmany(ROWS):
            yield rows

    def since(self, after: float, until: float) -> int:
        """Units that came after ``after``, and at ``until`` or before."""
        return self._one("SELECT count(*) FROM units WHERE at > ? AND at <= ?", after, until)

    def rows(self, metric: int) -> tuple[int, int, int]:
        """Rows of outcomes that were read, those that were no outcomes, and how many ids the others have."""
        read = "SELECT coalesce(sum({}), 0) FROM files WHERE metric = ?"
        rows, unusable = (self._one(read.format(name), metric) for name in ("rows", "unusable"))
        return rows, unusable, self._one(f"SELECT count(*) FROM outcomes_{metric}")  # noqa: S608 (a number)

    def size(self) -> int:
        """Units."""
        return self._one("SELECT count(*) FROM units")

    def _one(self, query: str, *values: Any) -> int:
        return int(self._database.execute(query, values).fetchone()[0])


def damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is no whole database, rather than locked or on a full disk."""
    return type(error) is sqlite3.DatabaseError


def removed(path: Path) -> None:
    """The index, and what SQLite keeps beside it, is gone."""
    for one in path.parent.glob(f"{path.name}*"):
        one.unlink(missing_ok=True)


def _opened(path: Path, identity: str) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connected(path, identity)
    except _Foreign:
        removed(path)
    return _connected(path, identity)


class _Foreign(Exception):
    """The file is about another test."""


def _connected(path: Path, identity: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # whole after a power cut, if not the newest
        database.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        database.executescript(TABLES)
        found = database.execute("SELECT identity FROM test").fetchone()
        if found is None:
            database.execute("INSERT INTO test (identity) VALUES (?)", (identity,))
        elif found[0] != identity:
            raise _Foreign
    except BaseException:
        database.close()
        raise
    return database
