"""Objects with conditional writes: all that leases and ledger need of S3 (AWS and SeaweedFS alike)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlflowctl.errors import AccessError
from mlflowctl.storage.client import CONNECT_TIMEOUT, client
from mlflowctl.storage.errors import CONFLICT, DENIED, code_of, s3_errors
from mlflowctl.storage.quick import QuickS3
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A store that hangs must be told from one that is slow before a lease runs out, and at three in the morning.
READ_TIMEOUT = 10.0  # seconds; entries are small
ATTEMPTS = 3
MISSING = {"NoSuchKey", "404", "NotFound"}


@dataclass(frozen=True)
class Stored:
    """An object as it was read.

    Attributes:
        body: its bytes.
        etag: names this content; a conditional overwrite needs it.
        age: seconds since it was written, by the store's own clock (whole seconds).
    """

    body: bytes
    etag: str
    age: float


class Objects:
    """The registry bucket of one context."""

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.bucket = settings.registry_bucket

    @cached_property
    def s3(self) -> S3Client | QuickS3:
        if self.settings.endpoint_url is None or self.settings.access_key_id is None:
            return self._boto3  # AWS itself: regions, redirects and the credential chain are boto3's matter
        return QuickS3(
            self.settings, read_timeout=READ_TIMEOUT, connect_timeout=CONNECT_TIMEOUT, attempts=ATTEMPTS
        )

    @cached_property
    def _boto3(self) -> S3Client:
        return client(self.settings, read_timeout=READ_TIMEOUT, attempts=ATTEMPTS)

    def get(self, key: str) -> Stored | None:
        """Read an object; None if it does not exist."""
        from botocore.exceptions import ClientError

        with s3_errors(f"read {key}", where=self.settings.where, permission="s3:GetObject"):
            try:
                answer = self.s3.get_object(Bucket=self.bucket, Key=key)
            except ClientError as exc:
                if code_of(exc) in MISSING:
                    return None
                raise
            body = answer["Body"].read()
        return Stored(body, answer["ETag"], _age(answer))

    def create(self, key: str, body: bytes) -> str | None:
        """Write an object that must not exist yet.

        Returns:
            Its ETag; None if another object has that key. An object with the very same bytes is ours: the
            library repeats a request whose answer was lost.
        """
        from botocore.exceptions import ClientError

        with self._writing(key):
            try:
                return self._put(key, body, IfNoneMatch="*")
            except ClientError as exc:
                if code_of(exc) not in CONFLICT:
                    raise
        found = self.get(key)
        return found.etag if found and found.body == body else None

    def replace(self, key: str, body: bytes, etag: str) -> str | None:
        """Overwrite an object that must still be what it was.

        Returns:
            The new ETag; None if it has changed meanwhile.
        """
        from botocore.exceptions import ClientError

        with self._writing(key):
            try:
                return self._put(key, body, IfMatch=etag)
            except ClientError as exc:
                if code_of(exc) not in CONFLICT | MISSING:
                    raise
        found = self.get(key)
        return found.etag if found and found.body == body else None

    @contextmanager
    def _writing(self, key: str) -> Iterator[None]:
        """Typed errors; a key that may not write here is usually that of a reader or trainer."""
        try:
            with s3_errors(f"write {key}", where=self.settings.where, permission="s3:PutObject"):
                yield
        except AccessError as exc:
            if code_of(exc.__cause__) in DENIED:
                exc.next = f"Repeat it with the keys of a promoter (docs/login.md). {exc.next}"
            raise

    def _put(self, key: str, body: bytes, **condition: Any) -> str:
        answer = self.s3.put_object(
            Bucket=self.bucket, Key=key, Body=body, ContentType="application/json", **condition
        )
        return str(answer["ETag"])

    def keys_after(self, prefix: str, after: str, limit: int) -> list[str]:
        """Up to ``limit`` (at most 1,000) keys below the prefix that sort after ``after``, in order."""
        with s3_errors(f"list {prefix}", where=self.settings.where, permission="s3:ListBucket"):
            answer = self.s3.list_objects_v2(
                Bucket=self.bucket, Prefix=prefix, StartAfter=after, MaxKeys=limit
            )
        return [found["Key"] for found in answer.get("Contents", [])]

    def folders(self, prefix: str) -> list[str]:
        """The names directly below a prefix that ends with a slash."""
        found: list[str] = []
        with s3_errors(f"list {prefix}", where=self.settings.where, permission="s3:ListBucket"):
            pages = self._boto3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                found += [one["Prefix"][len(prefix) : -1] for one in page.get("CommonPrefixes", [])]
        return found


def _age(answer: Any) -> float:
    """Seconds between two readings of the store's own clock, so that this machine's does not matter."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not date:
        return 0.0
    return float((parsedate_to_datetime(date) - answer["LastModified"]).total_seconds())
