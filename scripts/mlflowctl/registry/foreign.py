"""Switches that were not made through the ledger, found in the history that the guard keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.registry import ledger_state
from mlflowctl.registry.desk import Desk


@dataclass(frozen=True)
class Switch:
    """One row of the guard's history: a version became Production.

    Attributes:
        id: of the row.
        at: the database's clock.
        version: that became champion.
        role: the database login; all clients of one server share it.
    """

    id: int
    at: datetime
    version: int
    role: str


class NoHistoryError(MlflowctlError):
    """The database cannot be reached from here, so its history cannot be compared."""

    code = "no_history"


def switches(desk: Desk, model: str) -> list[Switch]:
    """Every version that became Production, in the order of the commits.

    Raises:
        NoHistoryError: the context gives no access to the database, or it does not answer.
    """
    database = desk.context.database
    if database is None:
        raise NoHistoryError("The context has no access to the database.")
    import psycopg2

    from mlflowctl.database.connect import admin

    query = (
        "SELECT id, at, version, role FROM mlflowctl.history WHERE workspace = 'default' AND model = %s "
        "AND event = 'stage' AND to_stage = 'Production' ORDER BY id"
    )
    try:
        with admin(database) as connection, connection, connection.cursor() as cursor:
            cursor.execute(query, (model,))
            return [Switch(*row) for row in cursor.fetchall()]
    except MlflowctlError as exc:
        raise NoHistoryError(exc.what) from None
    except psycopg2.Error as exc:
        raise NoHistoryError(f"The guard's history cannot be read: {str(exc).splitlines()[0]}") from None


class Matcher:
    """Walks the ledger and the history side by side.

    A switch of the ledger must be the next row of the history. What an ``observed`` entry found may have
    come about in any number of rows, or in none that is left (a database restored to an earlier time), and
    the first switch of a ledger may have many before it.
    """

    def __init__(self, rows: list[Switch]) -> None:
        self.rows = rows
        self.at = 0
        self.unrecorded: list[Switch] = []
        self.missing: list[tuple[int, int]] = []  # (entry, version) of switches that the database never saw
        self._champion: int | None = None
        self._begun = False

    def feed(self, number: int, kind: str, body: dict[str, Any]) -> None:
        """Take in one entry of the ledger."""
        for acknowledged in body.get("acknowledged", ()):
            self.unrecorded = [row for row in self.unrecorded if row.id != acknowledged]
            self.rows = [row for i, row in enumerate(self.rows) if i < self.at or row.id != acknowledged]
        lost = body.get("lost", ())
        self.missing = [one for one in self.missing if one[0] not in lost]
        if kind == ledger_state.DONE and body.get("stage") == "Production":
            self._expect(number, body["version"], body.get("recovered", False))
        elif kind == ledger_state.OBSERVED and body.get("champion") != self._champion:
            self._skip_to(number, body.get("champion"))
        elif kind == ledger_state.DONE and body.get("move") == "retire":
            self._champion = None

    def finish(self) -> None:
        """After the last entry: whatever rows are left are nobody's."""
        self.unrecorded += self.rows[self.at :]
        self.at = len(self.rows)

    def _expect(self, number: int, version: int, recovered: bool) -> None:
        if not self._begun or recovered:
            self._skip_to(number, version)
            return
        start = self.at
        for index in range(start, len(self.rows)):
            if self.rows[index].version == version:
                self.unrecorded += self.rows[start:index]
                self.at, self._champion = index + 1, version
                return
        self.missing.append((number, version))
        self._champion = version

    def _skip_to(self, number: int, version: int | None) -> None:
        self._begun, self._champion = True, version
        if version is None:
            return
        for index in range(self.at, len(self.rows)):
            if self.rows[index].version == version:
                self.at = index + 1
                return
        if not any(row.version == version for row in self.rows[: self.at]):
            self.missing.append((number, version))


def compared(desk: Desk, model: str) -> tuple[list[Switch], list[tuple[int, int]]]:
    """Where ledger and history differ; nothing if the history cannot be read.

    Returns:
        Rows of the history that no entry accounts for; and (entry, version) of switches that the history
        does not have.
    """
    try:
        matcher = Matcher(switches(desk, model))
    except NoHistoryError:
        return [], []
    for number, kind, body in _entries(desk, model):
        matcher.feed(number, kind, body)
    matcher.finish()
    return matcher.unrecorded, matcher.missing


def _entries(desk: Desk, model: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for found in desk.ledger(model).entries():
        assert found.entry is not None
        yield found.number, found.entry.kind, found.entry.body
