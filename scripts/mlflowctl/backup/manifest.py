"""The manifest of a set: what it holds, with a digest for everything, in lines of JSON.

First the header (releases, the database's dump and its rows), then a line for each object, last the end with
the counts and the SHA-256 of everything before. So a manifest that was cut off or edited is told from a
whole one, and none has to fit into memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from mlflowctl.errors import FindingsError, MlflowctlError
from mlflowctl.storage.settings import Role

FORMAT = 1


class DamagedSetError(FindingsError):
    """Something of a set is missing or is not what it was."""

    code = "backup_damaged"


class NewerSetError(MlflowctlError):
    """A newer release of mlflowctl or MLflow made the set."""

    code = "backup_too_new"


@dataclass(frozen=True)
class Item:
    """One object of a bucket.

    Attributes:
        role: of its bucket.
        key: as S3 knows it.
        sha256: of its bytes (hex), and where they are in the set.
        size: bytes.
        etag: as S3 gave it.
        modified: when it was written, by the store's clock (ISO 8601).
        version: its version id; "" in a bucket without versions.
        meta: what else belongs to it, under the names of boto3's put_object: ContentType, Metadata, …
    """

    role: Role
    key: str
    sha256: str
    size: int
    etag: str
    modified: str
    version: str
    meta: dict[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> bytes:
        """16 bytes that tell this state of this object from every other, without reading its bytes."""
        return fingerprint(self.role, self.key, self.etag, self.size, self.modified, self.version)


@dataclass(frozen=True)
class Header:
    """What a set says about itself.

    Attributes:
        name: of the set: the time in UTC, as a folder can be named.
        at: when its database was read (UTC, ISO 8601).
        releases: of ``mlflowctl``, ``mlflow``, ``postgresql`` that made it.
        revision: of MLflow's schema; None for an empty database.
        source: the stack that it was made of, in words.
        database: ``sha256`` and ``size`` of the dump; ``roles`` that it names; ``rows`` by table.
        buckets: name by role.
        format: of the set.
    """

    name: str
    at: str
    releases: dict[str, str]
    revision: str | None
    source: str
    database: dict[str, Any]
    buckets: dict[str, str]
    format: int = FORMAT


@dataclass(frozen=True)
class End:
    """The last line.

    Attributes:
        objects: number by role.
        bytes: by role.
        vanished: ``role/key`` of objects that were deleted while they were to be copied.
        sha256: of every line before this one, and of the counts in it (hex).
    """

    objects: dict[str, int]
    bytes: dict[str, int]
    vanished: list[str]
    sha256: str


def fingerprint(role: str, key: str, etag: str, size: int, modified: str, version: str) -> bytes:
    """See :meth:`Item.fingerprint`."""
    text = "\0".join((role, key, etag, str(size), modified, version))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


class Writer:
    """Writes a manifest line by line; without :meth:`end` it is only a draft."""

    def __init__(self, handle: IO[bytes], header: Header) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self._objects: dict[str, int] = dict.fromkeys(header.buckets, 0)
        self._bytes: dict[str, int] = dict.fromkeys(header.buckets, 0)
        self._line({"header": asdict(header)})

    def add(self, item: Item) -> None:
        self._objects[item.role] += 1
        self._bytes[item.role] += item.size
        self._line({"object": asdict(item)})

    def end(self, vanished: list[str]) -> End:
        end = sealed(self._digest, End(self._objects, self._bytes, vanished, ""))
        self._line({"end": asdict(end)})
        return end

    def _line(self, content: dict[str, Any]) -> None:
        line = encoded(content)
        self._digest.update(line)
        self._handle.write(line)
        self._handle.flush()  # a killed backup leaves what it has copied for the next one


class Manifest:
    """A whole manifest in a file. Reading it again and again costs no memory.

    Args:
        path: of the file.
        which: the set, for messages.

    Raises:
        DamagedSetError: it was cut off, edited, or is no manifest.
        NewerSetError: it is of a format that this release does not know.
    """

    def __init__(self, path: Path, which: str = "The set") -> None:
        self.path, self.which = path, which
        self.header, self.end = self._check()

    def items(self) -> Iterator[tuple[int, Item]]:
        """Every object, in the order in which it was copied, with its place in the file."""
        with self.path.open("rb") as handle:
            offset = 0
            for line in handle:
                if line.startswith(b'{"object"'):
                    yield offset, parse_item(line)
                offset += len(line)

    def item_at(self, offset: int) -> Item:
        """The object at a place that :meth:`items` gave."""
        with self.path.open("rb") as handle:
            handle.seek(offset)
            return parse_item(handle.readline())

    def _check(self) -> tuple[Header, End]:
        digest, header, last = hashlib.sha256(), b"", b""
        try:
            with self.path.open("rb") as handle:
                for line in handle:
                    header = header or line
                    digest.update(last)
                    last = line
        except OSError as exc:
            raise damaged(f"its manifest cannot be read: {exc.strerror}", self.which) from None
        found = parse_header(header, self.which)
        try:
            end = End(**json.loads(last)["end"])
        except (ValueError, KeyError, TypeError):
            raise damaged("its manifest is not whole: the end is missing", self.which) from None
        if encoded({"end": asdict(sealed(digest, end))}) != last:
            raise damaged("its manifest was changed: it does not have the digest that it names", self.which)
        return found, end


def encoded(content: dict[str, Any]) -> bytes:
    """One line."""
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def sealed(digest: Any, end: End) -> End:
    """The end with the digest that it must have.

    Args:
        digest: a hash object that took in every line before it; not used any further.
        end: whatever digest it has.
    """
    digest.update(encoded({"end": asdict(replace(end, sha256=""))}))
    return replace(end, sha256=digest.hexdigest())


def parse_header(line: bytes, which: str = "The set") -> Header:
    """The first line of a manifest. Raises like :class:`Manifest`."""
    try:
        raw = json.loads(line)["header"]
        version = int(raw["format"])
    except (ValueError, KeyError, TypeError):
        raise damaged("its manifest is none: it does not begin with a header", which) from None
    if version > FORMAT:
        made = raw.get("releases", {}).get("mlflowctl", "a newer release")
        raise NewerSetError(
            f"{which} is of format {version}, made by mlflowctl {made}; this release knows format {FORMAT}.",
            state="Nothing was changed.",
            next="python -m pip install --upgrade mlflowctl",
        )
    try:
        return Header(**raw)
    except TypeError:
        raise damaged("the header of its manifest lacks something", which) from None


def parse_item(line: bytes) -> Item:
    """One object's line. Raises like :class:`Manifest`."""
    try:
        return Item(**json.loads(line)["object"])
    except (ValueError, KeyError, TypeError):
        raise damaged("its manifest has a line that cannot be read") from None


def damaged(what: str, which: str = "The set") -> DamagedSetError:
    """The error for a set that is not whole."""
    return DamagedSetError(
        f"{which} is damaged: {what}.",
        state="Nothing was changed.",
        next="Choose another set with --set; mlflowctl backup verify tells which ones are whole.",
    )
