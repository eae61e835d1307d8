"""Where sets are kept: a folder, or a prefix of a bucket. The same names in both.

``sets/<time>/manifest.jsonl`` and ``sets/<time>/database.dump`` for each set, and ``objects/ab/cdef…`` for
the bytes of every object by their SHA-256, shared by all sets. A set is there when its manifest is, and the
manifest is written last. ``drafts/`` (in a folder only) holds the manifests of backups that were killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from mlflowctl.errors import ConflictError, MlflowctlError, NotFoundError, UsageError

CHUNK = 1 << 20
MANIFEST, DUMP = "manifest.jsonl", "database.dump"


class Place(ABC):
    """Keeps sets and objects. ``name`` is as it was given on the command line."""

    name: str

    @abstractmethod
    def names(self) -> list[str]:
        """The names of the whole sets, oldest first."""

    @abstractmethod
    def read(self, path: str) -> Iterator[bytes]:
        """A file, a megabyte at a time. Raises FileNotFoundError."""

    @abstractmethod
    def size(self, path: str) -> int | None:
        """Bytes of a file; None if there is none."""

    @abstractmethod
    def put(self, source: Path, path: str) -> None:
        """Move a file of :meth:`scratch` to its place, whole or not at all."""

    @abstractmethod
    def scratch(self) -> Path:
        """A folder for files that are being made."""

    @abstractmethod
    def drafts(self) -> list[Path]:
        """Manifests that killed backups left unfinished; where nothing of them is kept, none."""

    @abstractmethod
    def draft(self, set_name: str) -> Path:
        """Where the manifest of a set is written until it is whole."""

    @abstractmethod
    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Around everything that writes: one at a time, and what a killed one left half made is removed.

        Raises:
            ConflictError: another backup is writing here.
        """

    def remember(self) -> None:  # noqa: B027 (most places have no need of it)
        """Before many calls of :meth:`has`."""

    def has(self, sha256: str, size: int) -> bool:
        """Whether the bytes of an object are here."""
        return self.size(object_path(sha256)) == size

    def choose(self, wanted: str | None) -> str:
        """The set of that name or beginning; default: the newest.

        Raises:
            NotFoundError: there is none, or several begin like that.
        """
        found = self.names()
        matching = [one for one in found if one.startswith(wanted or "")]
        if wanted in found:
            return str(wanted)
        if matching and (wanted is None or len(matching) == 1):
            return matching[-1]
        known = ", ".join(found[-10:]) or "none"
        what = f"no set {wanted}" if wanted and not matching else "no set that could be meant"
        raise NotFoundError(
            f"There is {what} in {self.name}. There are: {known}.",
            state="Nothing was changed.",
            next="Name one with --set, or another place with --from." if found else "mlflowctl backup --to …",
        )

    @contextlib.contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """A file as one of this machine, for the block. Raises FileNotFoundError."""
        handle, name = tempfile.mkstemp(prefix="mlflowctl-backup-")
        try:
            with os.fdopen(handle, "wb") as copy:
                for piece in self.read(path):
                    copy.write(piece)
            yield Path(name)
        finally:
            Path(name).unlink()


def pasted(text: str) -> str:
    """A place as it can be pasted into a shell."""
    import shlex

    return shlex.quote(text)


def object_path(sha256: str) -> str:
    """Where the bytes with this digest are."""
    return f"objects/{sha256[:2]}/{sha256[2:]}"


def place(text: str) -> Place:
    """The place that ``--to`` or ``--from`` names: ``s3://bucket/prefix``, or a folder."""
    if text.startswith("s3://"):
        from mlflowctl.backup.s3_place import S3Place

        return S3Place.named(text)
    if "://" in text:
        raise UsageError(
            f"{text!r} is neither a folder nor s3://bucket/prefix.", state="Nothing was changed."
        )
    return Folder(Path(text).expanduser().absolute(), text)


class Folder(Place):
    """Sets in a folder of this machine, closed to others: a set holds everything, password hashes too."""

    def __init__(self, root: Path, name: str = "") -> None:
        self.root, self.name = root, name or str(root)

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob(f"sets/*/{MANIFEST}"))

    def read(self, path: str) -> Iterator[bytes]:
        with (self.root / path).open("rb") as handle:
            while piece := handle.read(CHUNK):
                yield piece

    def size(self, path: str) -> int | None:
        try:
            return (self.root / path).stat().st_size
        except OSError:
            return None

    def put(self, source: Path, path: str) -> None:
        target = self.root / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source.replace(target)

    def scratch(self) -> Path:
        return self.root / "tmp"

    def drafts(self) -> list[Path]:
        return sorted(self.root.glob("drafts/*.jsonl"))

    def draft(self, set_name: str) -> Path:
        return self.root / "drafts" / f"{set_name}.jsonl"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        with disk_errors(self.name):
            self._make()
            with (self.root / "lock").open("a") as handle:
                (self.root / "lock").chmod(0o600)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise ConflictError(
                        f"Another backup is being written to {self.name}.",
                        state="Nothing was copied by this command.",
                        next="Wait until it has ended, or choose another folder.",
                    ) from None
                self._clean()
                self.scratch().mkdir(mode=0o700)
                yield
                shutil.rmtree(self.scratch(), ignore_errors=True)

    def _make(self) -> None:
        if self.root.exists() and not (self.root / "sets").exists() and any(self.root.iterdir()):
            raise UsageError(
                f"{self.name} holds other things and no backups.",
                state="Nothing was written.",
                next="Name a new or empty folder with --to.",
            )
        for name in ("", "sets", "objects", "drafts"):
            (self.root / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _clean(self) -> None:
        """Under the lock: what a killed backup was just about to finish."""
        shutil.rmtree(self.scratch(), ignore_errors=True)
        for folder in (self.root / "sets").iterdir():
            if not (folder / MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def local(self, path: str) -> Iterator[Path]:
        if not (self.root / path).exists():
            raise FileNotFoundError(path)
        yield self.root / path


@contextlib.contextmanager
def disk_errors(where: str) -> Iterator[None]:
    """What the file system refuses, in words."""
    try:
        yield
    except OSError as exc:
        if not exc.errno:  # not of the file system: a connection, say
            raise
        raise MlflowctlError(
            f"Writing to {where} failed: {exc.strerror}.",
            state="No set was made; what was copied is kept, and the next backup goes on from there.",
            next=f"df -h {where}   (free some space or choose another place, then repeat the command)",
        ) from exc
