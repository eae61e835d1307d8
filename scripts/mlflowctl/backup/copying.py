"""Copying the objects of a bucket into a place, each content once, and nothing that is there already."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from mlflowctl.backup.buckets import Listed, Reader
from mlflowctl.backup.manifest import DamagedSetError, Item, Manifest, fingerprint, parse_item
from mlflowctl.backup.places import MANIFEST, Place, object_path
from mlflowctl.backup.progress import Progress
from mlflowctl.backup.transfers import save
from mlflowctl.errors import MlflowctlError, UnavailableError
from mlflowctl.storage.settings import Role

ATTEMPTS = 3


class Known:
    """The objects that earlier backups have copied: those of the newest set, and those of killed ones.

    Costs about 200 bytes of memory for each object; the rest is read from the manifest when it is needed.

    Args:
        place: where the sets are.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._at: dict[bytes, tuple[int, int]] = {}
        self._files: list[Path] = []
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Known:
        for path in self.place.drafts():
            self._read(path)
        if names := self.place.names():
            path = self._held.enter_context(self.place.local(f"sets/{names[-1]}/{MANIFEST}"))
            with contextlib.suppress(DamagedSetError):  # then everything is simply read again
                Manifest(path)
                self._read(path)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def find(self, role: Role, one: Listed) -> Item | None:
        """What is known of an object in this very state, if its bytes are in the place."""
        at = self._at.get(fingerprint(role, one.key, one.etag, one.size, one.modified, one.version))
        if at is None:
            return None
        with self._files[at[0]].open("rb") as handle:
            handle.seek(at[1])
            item = parse_item(handle.readline())
        return item if self.place.has(item.sha256, item.size) else None

    def _read(self, path: Path) -> None:
        self._files.append(path)
        number, offset = len(self._files) - 1, 0
        with path.open("rb") as handle:
            for line in handle:
                if line.startswith(b'{"object"') and line.endswith(b"\n"):
                    with contextlib.suppress(DamagedSetError):
                        self._at[parse_item(line).fingerprint()] = (number, offset)
                offset += len(line)


class Copier:
    """Copies objects of one bucket; safe for several threads.

    Args:
        place: where to.
        known: what is there already.
        reader: where from.
        role: of the bucket.
        progress: is told.
    """

    def __init__(self, place: Place, known: Known, reader: Reader, role: Role, progress: Progress) -> None:
        self.place, self.known, self.reader, self.role, self.progress = place, known, reader, role, progress
        self._number = itertools.count()

    def copy(self, one: Listed) -> Item | str:
        """One object; its key alone if it was deleted meanwhile.

        Raises:
            UnavailableError, AccessError: the store does not answer, or refuses.
        """
        item = self.known.find(self.role, one)
        copied = item is None
        if item is None:
            item = self._with_patience(one)
        if item is not None:
            self.progress.done(copied=copied)
        return item or one.key

    def _with_patience(self, one: Listed) -> Item | None:
        """A transfer that breaks off in the middle is begun again."""
        for attempt in itertools.count(1):
            try:
                return self._download(one)
            except UnavailableError:
                if attempt == ATTEMPTS or self.reader.stopped.wait(attempt):
                    raise
        raise AssertionError("unreachable")

    def _download(self, one: Listed) -> Item | None:
        answer = self.reader.open(one.key)
        if answer is None:
            return None
        draft = self.place.scratch() / f"{self.role}-{next(self._number)}"
        sha256, size = save(self._counted(answer, one.key), draft)
        if size != answer["ContentLength"]:
            raise MlflowctlError(
                f"{size} of {answer['ContentLength']} bytes of {one.key} came.",
                state="No set was made; what was copied is kept.",
                next="Repeat the command.",
            )
        if self.place.has(sha256, size):
            draft.unlink()
        else:
            self.place.put(draft, object_path(sha256))
        found = self._as_read(one, answer)
        return Item(
            self.role, one.key, sha256, size, found.etag, found.modified, found.version,
            self.reader.meta(answer, one.key),
        )  # fmt: skip

    def _counted(self, answer: dict[str, object], key: str) -> Iterator[bytes]:
        for piece in self.reader.pieces(answer, key):
            self.progress.moved(len(piece))
            yield piece

    def _as_read(self, one: Listed, answer: dict[str, object]) -> Listed:
        """The state that was read: as listed, unless it was overwritten between the two."""
        etag = str(answer["ETag"]).strip('"')
        if etag == one.etag and answer["ContentLength"] == one.size:
            return one
        return Listed(one.key, etag, 0, "", "")  # fits no listing, so the next backup reads it again
