"""Putting the objects of a set back into a bucket: what is missing there, what is another, what is more."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from mlflowctl.backup.buckets import Reader, listed
from mlflowctl.backup.check import BackupSet
from mlflowctl.backup.manifest import Item, damaged
from mlflowctl.backup.places import CHUNK, object_path
from mlflowctl.backup.progress import Progress, Tell
from mlflowctl.backup.transfers import digest_of, ordered
from mlflowctl.storage.client import client
from mlflowctl.storage.desired import LEASES_PREFIX
from mlflowctl.storage.errors import DENIED, code_of, s3_errors
from mlflowctl.storage.settings import Role, S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT_ONCE = 8 * CHUNK  # up to here an object is sent in one piece, beyond in parts of this size
LOCK = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")
# How a store says that an object is kept from being deleted or overwritten, or that it knows no retention.
RETAINED = {*DENIED, "InvalidRequest", "ObjectLocked", "InvalidBucketState", "NotImplemented"}
T = TypeVar("T")


@dataclass(frozen=True)
class Difference:
    """What separates a bucket from a set.

    Attributes:
        role: of the bucket.
        missing: places in the manifest of objects that the bucket lacks.
        other: the same, of objects that are another there.
        extra: keys in the bucket that the set does not have; a lease is always one.
        bytes: to be sent.
        same: objects that are as they should be.
    """

    role: Role
    missing: list[int] = field(repr=False)
    other: list[int] = field(repr=False)
    extra: list[str] = field(repr=False)
    bytes: int
    same: int


class Bucket:
    """One bucket that a set is put back into.

    Args:
        settings: of the store.
        role: of the bucket.
        found: the set.
    """

    def __init__(self, settings: S3Settings, role: Role, found: BackupSet) -> None:
        self.settings, self.role, self.set = settings, role, found
        self.name = settings.bucket(role)
        self.s3: S3Client = client(settings)
        self.reader = Reader(self.s3, settings, role)
        self._proven: dict[str, str] = {}  # key: ETag of bytes that were read and are those of the set

    def compare(self) -> Difference:
        """What would have to be done; reads only. Bytes are read where size alone agrees."""
        there = {
            one.key: (one.etag, one.size)
            for one in listed(self.s3, self.name, self.role, self.settings.where)
        }
        missing: list[int] = []
        other: list[int] = []
        size = same = 0
        for offset, item in self._items():
            at = there.pop(item.key, None)
            if at is not None and self._same(item, *at):
                same += 1
                continue
            (other if at else missing).append(offset)
            size += item.size
        return Difference(self.role, missing, other, list(there), size, same)

    def _items(self) -> Iterator[tuple[int, Item]]:
        """The set's objects of this bucket. Leases of that time are over: who held them is gone."""
        for offset, item in self.set.manifest.items():
            if item.role == self.role and not item.key.startswith(LEASES_PREFIX):
                yield offset, item

    def _same(self, item: Item, etag: str, size: int) -> bool:
        if size != item.size:
            return False
        if etag in (item.etag, self._proven.get(item.key)):
            return True
        answer = self.reader.open(item.key)  # the ETag of an object that came in parts tells nothing
        if answer is None or digest_of(self.reader.pieces(answer, item.key))[0] != item.sha256:
            return False
        self._proven[item.key] = etag
        return True

    def put(self, offsets: list[int], tell: Tell) -> list[str]:
        """Send objects; returns what the store did not take of them, in words.

        Raises:
            DamagedSetError: the bytes are not what they were when the set was checked.
            UnavailableError, AccessError: the store does not answer, or refuses.
        """
        return self._each(offsets, f"bucket {self.name}", tell, self._put_one)

    def remove(self, keys: list[str], tell: Tell) -> list[str]:
        """Delete objects (a versioned bucket keeps them behind a marker); returns those that stay."""
        return self._each(keys, f"bucket {self.name}, removal", tell, lambda key, _: self._remove_one(key))

    def _each(
        self, things: list[T], what: str, tell: Tell, work: Callable[[T, Callable[[int], None]], str]
    ) -> list[str]:
        if not things:
            return []
        progress = Progress(what, tell, len(things))

        def one(thing: T) -> str:
            note = work(thing, progress.moved)
            progress.done(copied=True)
            return note

        notes = [note for note in ordered(one, things, self.reader.stopped) if note]
        progress.finish()
        return notes

    def _put_one(self, offset: int, moved: Callable[[int], None]) -> str:
        """One object; a retention that this store does not take is left out, and said."""
        item = self.set.manifest.item_at(offset)
        extra = _arguments(item)
        if not self._retained(item.key, lambda: self._upload(item, extra, moved)):
            return ""
        plain = {name: value for name, value in extra.items() if name not in LOCK}
        if plain != extra and not self._retained(item.key, lambda: self._upload(item, plain, moved)):
            return f"{item.key} was put back without its retention, which this store does not take"
        return f"{item.key} stays as it is: the store retains it"

    def _remove_one(self, key: str) -> str:
        gone = not self._retained(key, lambda: self.s3.delete_object(Bucket=self.name, Key=key))
        return "" if gone else f"{key} stays: the store retains it"

    def _upload(self, item: Item, extra: dict[str, Any], moved: Callable[[int], None]) -> None:
        from boto3.s3.transfer import TransferConfig

        source = _Source(self.set.place.read(object_path(item.sha256)), moved)
        doing = f"write {item.key} to bucket {self.name}"
        with s3_errors(doing, where=self.settings.where, permission="s3:PutObject"):
            if item.size <= AT_ONCE:
                body = source.read()
                self._judge(item, source)  # before it is sent
                self.s3.put_object(Bucket=self.name, Key=item.key, Body=body, **extra)
                return
            config = TransferConfig(multipart_chunksize=AT_ONCE, use_threads=False)
            self.s3.upload_fileobj(source, self.name, item.key, ExtraArgs=extra, Config=config)  # type: ignore[arg-type]
            self._judge(item, source)
            written = self.s3.head_object(Bucket=self.name, Key=item.key)
            self._proven[item.key] = written["ETag"].strip('"')

    def _judge(self, item: Item, source: _Source) -> None:
        if (source.digest, source.size) != (item.sha256, item.size):
            raise damaged(f"object {item.role}/{item.key} was changed while it was read", str(self.set))

    def _retained(self, key: str, work: Callable[[], object]) -> bool:
        """Whether the store refused the work because the object is retained; other refusals are raised."""
        from botocore.exceptions import ClientError

        from mlflowctl.errors import MlflowctlError

        doing = f"change {key} of bucket {self.name}"
        with s3_errors(doing, where=self.settings.where, permission="s3:DeleteObject"):
            try:
                work()
            except ClientError as exc:
                if code_of(exc) in RETAINED:
                    return True
                raise
            except MlflowctlError as exc:  # the same, translated already
                if code_of(exc.__cause__ or exc) in RETAINED:
                    return True
                raise
        return False


class _Source(io.RawIOBase):
    """The bytes of an object as a file that is read once, hashed on the way."""

    def __init__(self, pieces: Iterator[bytes], moved: Callable[[int], None]) -> None:
        super().__init__()
        self._pieces, self._moved, self._rest = pieces, moved, b""
        self._digest, self.size = hashlib.sha256(), 0

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, fewer only at the end."""
        parts, have = [self._rest], len(self._rest)
        while (size < 0 or have < size) and (piece := next(self._pieces, b"")):
            self._digest.update(piece)
            self.size += len(piece)
            self._moved(len(piece))
            parts.append(piece)
            have += len(piece)
        whole = b"".join(parts)
        cut = len(whole) if size < 0 else size
        self._rest = whole[cut:]
        return whole[:cut]


def _arguments(item: Item) -> dict[str, Any]:
    """What belongs to the object, as boto3 takes it; a retention that is over is left out."""
    from datetime import UTC, datetime

    found = dict(item.meta)
    if tags := found.pop("Tags", None):
        found["Tagging"] = urlencode(tags)
    if until := found.get("ObjectLockRetainUntilDate"):
        moment = datetime.fromisoformat(until)
        found["ObjectLockRetainUntilDate"] = moment
        if moment <= datetime.now(UTC):
            found.pop("ObjectLockRetainUntilDate")
            found.pop("ObjectLockMode", None)
    return found
