"""The objects of a stack's buckets: listed with everything that tells one state from another, and read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlflowctl.backup.places import CHUNK
from mlflowctl.errors import InterruptedByUser
from mlflowctl.storage.desired import LEDGER_PREFIX
from mlflowctl.storage.errors import code_of, is_not_implemented, s3_errors
from mlflowctl.storage.settings import Role, S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

GONE = {"NoSuchKey", "404", "NotFound"}
# What an answer to GET carries and a PUT takes, under the same name.
KEPT = (
    "ContentType", "ContentEncoding", "ContentLanguage", "ContentDisposition", "CacheControl",
    "ObjectLockMode", "ObjectLockLegalHoldStatus",
)  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """A current object, as a listing shows it; the fields are those of ``manifest.Item``."""

    key: str
    etag: str
    size: int
    modified: str
    version: str


def listed(s3: S3Client, bucket: str, role: Role, where: str) -> Iterator[Listed]:
    """Every current object of a bucket.

    The ledger comes first: what its entries name (evidence, artifacts) was written before them, so whatever
    is listed after the ledger holds all of it.
    """
    if role == "registry":
        yield from _below(s3, bucket, LEDGER_PREFIX, where)
    for one in _below(s3, bucket, "", where):
        if role != "registry" or not one.key.startswith(LEDGER_PREFIX):
            yield one


def _below(s3: S3Client, bucket: str, prefix: str, where: str) -> Iterator[Listed]:
    from botocore.exceptions import ClientError

    with s3_errors(f"list bucket {bucket}", where=where, permission="s3:ListBucketVersions"):
        try:
            pages: Any = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
            for page in pages:
                yield from (_listed(one) for one in page.get("Versions", []) if one["IsLatest"])
            return
        except ClientError as exc:
            if not is_not_implemented(exc):
                raise
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            yield from (_listed(one) for one in page.get("Contents", []))


def _listed(raw: Any) -> Listed:
    version = raw.get("VersionId", "")
    return Listed(
        raw["Key"],
        raw["ETag"].strip('"'),
        raw["Size"],
        stamp(raw["LastModified"]),
        "" if version == "null" else version,
    )


def stamp(moment: datetime) -> str:
    """A moment as manifests write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Reader:
    """Reads objects of one bucket; safe for several threads.

    Args:
        s3: a client.
        settings: of the store.
        role: of the bucket.
    """

    def __init__(self, s3: S3Client, settings: S3Settings, role: Role) -> None:
        self.s3, self.settings, self.bucket = s3, settings, settings.bucket(role)
        self.stopped = threading.Event()  # set to end transfers that are under way

    def open(self, key: str) -> dict[str, Any] | None:
        """The answer to a GET; None if the object is gone."""
        from botocore.exceptions import ClientError

        with self.errors(key):
            try:
                return dict(self.s3.get_object(Bucket=self.bucket, Key=key))
            except ClientError as exc:
                if code_of(exc) in GONE:
                    return None
                raise

    def pieces(self, answer: dict[str, Any], key: str) -> Iterator[bytes]:
        """The bytes of an answer, a megabyte at a time."""
        with self.errors(key):
            for piece in answer["Body"].iter_chunks(CHUNK):
                if self.stopped.is_set():
                    raise InterruptedByUser("Interrupted.")
                yield piece

    def meta(self, answer: dict[str, Any], key: str) -> dict[str, Any]:
        """What else belongs to the object; see ``manifest.Item``."""
        found = {name: answer[name] for name in KEPT if answer.get(name)}
        if answer.get("Metadata"):
            found["Metadata"] = dict(answer["Metadata"])
        if answer.get("ObjectLockRetainUntilDate"):
            found["ObjectLockRetainUntilDate"] = stamp(answer["ObjectLockRetainUntilDate"])
        if answer.get("TagCount"):
            with self.errors(key, "s3:GetObjectTagging"):
                tags = self.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
            found["Tags"] = {tag["Key"]: tag["Value"] for tag in tags}
        return found

    def errors(self, key: str, permission: str = "s3:GetObject") -> Any:
        """What S3 says about this object, in words."""
        doing = f"read {key} of bucket {self.bucket}"
        return s3_errors(doing, where=self.settings.where, permission=permission)
