"""Making a set: the database first, then the objects, the manifest last.

The order makes a set consistent: what the dump's rows name was written before the dump was taken, so it is
among the objects that are copied after it. The ledger may be ahead of the database, never behind.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import mlflowctl
from mlflowctl.backup import dump
from mlflowctl.backup.buckets import Reader, listed
from mlflowctl.backup.copying import Copier, Known
from mlflowctl.backup.manifest import End, Header, Item, Writer
from mlflowctl.backup.places import DUMP, MANIFEST, Place
from mlflowctl.backup.progress import Progress, Tell, human
from mlflowctl.backup.transfers import ordered
from mlflowctl.errors import UsageError
from mlflowctl.plan import Action, Step
from mlflowctl.settings import Context
from mlflowctl.storage.client import client
from mlflowctl.storage.settings import Role

ORDER: tuple[Role, ...] = ("registry", "artifacts")
TIME = "%Y-%m-%dT%H-%M-%SZ"


@dataclass(frozen=True)
class Made:
    """A set that was made.

    Attributes:
        place: as it was named.
        header: of its manifest.
        end: of its manifest.
        copied: objects whose bytes were read from the buckets.
        moved: bytes of those.
        seconds: it took.
    """

    place: str
    header: Header
    end: End
    copied: int
    moved: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "set": self.header.name,
            "at": self.header.at,
            "revision": self.header.revision,
            "releases": self.header.releases,
            "rows": sum(self.header.database["rows"].values()),
            "objects": sum(self.end.objects.values()),
            "bytes": sum(self.end.bytes.values()) + self.header.database["size"],
            "copied": self.copied,
            "copied_bytes": self.moved,
            "vanished": self.end.vanished,
            "seconds": round(self.seconds, 1),
        }


def complete(context: Context, what: str) -> None:
    """A backup needs all of a stack.

    Raises:
        UsageError: the context knows no database or no object store.
    """
    if context.database is None or context.s3 is None:
        raise UsageError(
            f"{what} needs the database and the object store, and {context.describe()} does not know both.",
            state="Nothing was changed.",
            next="Name a context that does: mlflowctl --context local …",
        )


@dataclass(frozen=True)
class Estimate:
    """What a backup would copy: of each bucket objects, new ones, their bytes; and of the database."""

    rows: int
    tables: int
    database: int
    buckets: dict[str, tuple[int, int, int]]

    @property
    def bytes(self) -> int:
        """Room that a set needs at most; a dump is smaller than its database."""
        return self.database + sum(size for _, _, size in self.buckets.values())


def estimate(context: Context, place: Place) -> Estimate:
    """Look at everything that a backup would copy; reads only. Raises like :func:`execute`."""
    complete(context, "A backup")
    assert context.database is not None
    assert context.s3 is not None
    with dump.snapshot(context.database) as moment:
        rows, tables, size = sum(moment.rows.values()), len(moment.rows), moment.size
    s3, buckets = client(context.s3), {}
    with Known(place) as known:
        place.remember()
        for role in ORDER:
            name = context.s3.bucket(role)
            count = new = to_copy = 0
            for one in listed(s3, name, role, context.s3.where):
                count += 1
                if known.find(role, one) is None:
                    new, to_copy = new + 1, to_copy + one.size
            buckets[name] = (count, new, to_copy)
    return Estimate(rows, tables, size, buckets)


def plan(context: Context, place: Place) -> list[Step]:
    """What a backup would copy; reads only. Raises like :func:`execute`."""
    found = estimate(context, place)
    detail = f"{found.rows:,} rows in {found.tables} tables, {human(found.database)}"
    steps = [Step(Action.CREATE, "dump of the database", detail)]
    for name, (count, new, size) in found.buckets.items():
        detail = f"{count:,} objects, {new:,} to be copied ({human(size)})"
        steps.append(Step(Action.CREATE, f"copy of bucket {name}", detail))
    return steps


def execute(context: Context, place: Place, tell: Tell) -> Made:
    """Make a set.

    Raises:
        UsageError: the context knows no database or object store, or the folder holds other things.
        ConflictError: another backup is being written there.
        UnavailableError, AccessError, MlflowctlError: database, store or disk fail; no set is made, and
            the next backup goes on with what was copied.
    """
    complete(context, "A backup")
    assert context.database is not None
    began = time.monotonic()
    with place.writing(), Known(place) as known:
        left = place.drafts()
        place.remember()
        tell("Database")
        header = _dump(context, place, tell)
        draft = place.draft(header.name)
        with draft.open("xb") as handle:
            draft.chmod(0o600)
            writer = Writer(handle, header)
            copies = [_copy(context, place, known, role, writer, tell) for role in ORDER]
            end = writer.end([key for _, vanished in copies for key in vanished])
        _finish(place, header.name)
        for path in left:  # what killed backups had copied is part of this set now
            path.unlink(missing_ok=True)
    copied, moved = (sum(getattr(one, name) for one, _ in copies) for name in ("copied", "bytes"))
    return Made(place.name, header, end, copied, moved, time.monotonic() - began)


def _dump(context: Context, place: Place, tell: Tell) -> Header:
    """The dump, still in the scratch folder, and the header that describes it."""
    assert context.database is not None
    assert context.s3 is not None
    with dump.snapshot(context.database) as moment:
        database = dump.write(context.database, moment, place.scratch() / DUMP)
    tell(f"  {sum(moment.rows.values()):,} rows in {len(moment.rows)} tables, {human(database['size'])}")
    return Header(
        name=_free_name(place),
        at=moment.at,
        releases={
            "mlflowctl": mlflowctl.__version__,
            "mlflow": importlib.metadata.version("mlflow"),
            "postgresql": moment.server,
        },
        revision=moment.revision,
        source=context.describe(),
        database=database,
        buckets={role: context.s3.bucket(role) for role in ORDER},
    )


def _finish(place: Place, name: str) -> None:
    """The dump to its place, then the manifest, which must not outlive what it names in a power failure."""
    place.put(place.scratch() / DUMP, f"sets/{name}/{DUMP}")
    os.sync()
    place.put(place.draft(name), f"sets/{name}/{MANIFEST}")
    os.sync()


def _free_name(place: Place) -> str:
    """A name that no set has: one may be made every second."""
    while True:
        name = datetime.now(UTC).strftime(TIME)
        if place.size(f"sets/{name}/{MANIFEST}") is None and not place.draft(name).exists():
            return name
        time.sleep(0.2)


def _copy(
    context: Context, place: Place, known: Known, role: Role, writer: Writer, tell: Tell
) -> tuple[Progress, list[str]]:
    """The objects of one bucket; what was counted, and the objects that vanished meanwhile."""
    assert context.s3 is not None
    bucket, s3 = context.s3.bucket(role), client(context.s3)
    reader = Reader(s3, context.s3, role)
    tell(f"Bucket {bucket}")
    progress, vanished = Progress(f"bucket {bucket}", tell), []
    copier = Copier(place, known, reader, role, progress)
    objects = listed(s3, bucket, role, context.s3.where)
    for found in ordered(copier.copy, objects, reader.stopped):
        if isinstance(found, Item):
            writer.add(found)
        else:
            vanished.append(f"{role}/{found}")
    progress.finish()
    return progress, vanished
