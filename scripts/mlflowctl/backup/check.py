"""Reading all of a set again: is everything there, and is it what it was?"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from mlflowctl.backup.manifest import Header, Item, Manifest, damaged
from mlflowctl.backup.places import DUMP, MANIFEST, Place, object_path
from mlflowctl.backup.progress import Progress, Tell
from mlflowctl.backup.transfers import digest_of, ordered
from mlflowctl.errors import InterruptedByUser

SHOWN = 5


@dataclass(frozen=True)
class BackupSet:
    """One set, with its manifest at hand."""

    place: Place
    name: str
    manifest: Manifest

    @property
    def header(self) -> Header:
        return self.manifest.header

    @property
    def dump(self) -> str:
        """The path of the database's dump in the place."""
        return f"sets/{self.name}/{DUMP}"

    def __str__(self) -> str:
        return f"Set {self.name} in {self.place.name}"


@contextlib.contextmanager
def opened(place: Place, wanted: str | None) -> Iterator[BackupSet]:
    """A set, for the block.

    Args:
        place: where it is.
        wanted: its name, or how it begins; default: the newest.

    Raises:
        NotFoundError: there is no such set.
        DamagedSetError, NewerSetError: its manifest cannot be used.
    """
    name = place.choose(wanted)
    with place.local(f"sets/{name}/{MANIFEST}") as path:
        yield BackupSet(place, name, Manifest(path, f"Set {name} in {place.name}"))


def problems(found: BackupSet, tell: Tell, *, objects: bool = True) -> list[str]:
    """What is missing or changed, in words; reads every byte of the set.

    Args:
        found: the set.
        tell: progress.
        objects: also the objects; False looks at the database's dump alone.
    """
    said = []
    wrong = _dump_problem(found)
    if wrong:
        said.append(wrong)
    if objects:
        said += [problem for problem in _object_problems(found, tell) if problem]
    return said


def refuse(found: BackupSet, wrong: list[str]) -> None:
    """Raise DamagedSetError if there is a problem."""
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise damaged("; ".join(wrong[:SHOWN]) + more, str(found))


def _dump_problem(found: BackupSet) -> str:
    said = found.header.database
    try:
        sha256, size = digest_of(found.place.read(found.dump))
    except FileNotFoundError:
        return "the dump of the database is missing"
    if size != said["size"]:
        return f"the dump of the database has {size} bytes instead of {said['size']}"
    return "" if sha256 == said["sha256"] else "the dump of the database was changed"


def _object_problems(found: BackupSet, tell: Tell) -> Iterator[str]:
    """One answer per content; the same bytes under many keys are read once."""
    seen: set[bytes] = set()
    stop = threading.Event()
    progress = Progress("the set's objects", tell)

    def once() -> Iterator[Item]:
        for _, item in found.manifest.items():
            if (digest := bytes.fromhex(item.sha256)) not in seen:
                seen.add(digest)
                yield item

    def one(item: Item) -> str:
        if stop.is_set():
            raise InterruptedByUser("Interrupted.")
        try:
            sha256, size = digest_of(found.place.read(object_path(item.sha256)), progress.moved)
        except FileNotFoundError:
            return f"object {item.role}/{item.key} is missing"
        progress.done(copied=True)
        if (sha256, size) == (item.sha256, item.size):
            return ""
        return f"object {item.role}/{item.key} was changed ({size} of {item.size} bytes, another digest)"

    yield from ordered(one, once(), stop)
    progress.finish()
