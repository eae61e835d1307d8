"""Evidence in the registry bucket: written once, never changed, read back against its SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from mlflowctl.errors import ConflictError, NotFoundError
from mlflowctl.registry.evidence.model import Evidence, from_json, sha256, to_json
from mlflowctl.storage.client import client
from mlflowctl.storage.errors import CONFLICT, code_of, s3_errors
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVIDENCE = "evidence.json"
REPORT = "report.html"
MISSING = {"NoSuchKey", "404", "NotFound"}


@dataclass(frozen=True)
class Stored:
    """Where evidence is, and what it must be.

    Attributes:
        key: the folder in the registry bucket, with a slash at its end.
        sha256: of evidence.json, hex.
    """

    key: str
    sha256: str


def key(model: str, version: int, evidence_id: str, at: str) -> str:
    """The folder of one piece of evidence; folders of a version sort by time.

    Args:
        model: name of the registered model.
        version: its number.
        evidence_id: UUID, hex.
        at: ISO 8601 with an offset.
    """
    stamp = datetime.fromisoformat(at).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"evidence/{quote(model, safe='')}/{version}/{stamp}-{evidence_id}/"


def write(s3: S3Settings, evidence: Evidence, report_html: str) -> Stored:
    """Write both files. The report comes first: evidence that is there is whole.

    Raises:
        ConflictError: something else stands there already.
        AccessError, UnavailableError: what the store answered.
    """
    folder = key(evidence.model, evidence.version, evidence.id, evidence.at)
    content, connection = to_json(evidence), client(s3)
    _create(connection, s3, folder + REPORT, report_html.encode(), "text/html; charset=utf-8")
    _create(connection, s3, folder + EVIDENCE, content, "application/json")
    return Stored(folder, sha256(content))


def read(s3: S3Settings, key: str, sha256: str | None) -> Evidence:
    """Read evidence back.

    Args:
        s3: the store.
        key: the folder, as ``write`` returned it.
        sha256: what the ledger says it must be; None to read it unchecked.

    Raises:
        NotFoundError: it is not there.
        ConflictError: it was changed, or is not what mlflowctl wrote.
        UsageError: a newer mlflowctl wrote it.
    """
    place = key.rstrip("/") + "/" + EVIDENCE
    content = _content(client(s3), s3, place)
    if content is None:
        raise NotFoundError(
            f"There is no evidence at {place} in bucket {s3.registry_bucket}.",
            state="Nothing was changed.",
            next="mlflowctl model audit",
        )
    _compare(content, sha256, place)
    return from_json(content)


def _compare(content: bytes, expected: str | None, place: str) -> None:
    found = sha256(content)
    if expected is not None and found != expected:
        raise ConflictError(
            f"The evidence at {place} was changed: its SHA-256 was {expected} and is now {found}.",
            state="Nothing may rest on it. Nothing was changed.",
            next="mlflowctl model audit, then mlflowctl model validate to make new evidence",
        )


def _create(connection: S3Client, s3: S3Settings, place: str, body: bytes, content_type: str) -> None:
    from botocore.exceptions import ClientError

    with s3_errors(f"write {place}", where=s3.where, permission="s3:PutObject"):
        try:
            connection.put_object(
                Bucket=s3.registry_bucket, Key=place, Body=body, ContentType=content_type, IfNoneMatch="*"
            )
            return
        except ClientError as exc:
            if code_of(exc) not in CONFLICT:
                raise
    # The library repeats a request whose answer was lost; then what stands there is our own.
    if _content(connection, s3, place) != body:
        raise ConflictError(
            f"Something else stands at {place} already; evidence is never overwritten.",
            state="Nothing was changed.",
            next="mlflowctl model audit",
        )


def _content(connection: S3Client, s3: S3Settings, place: str) -> bytes | None:
    from botocore.exceptions import ClientError

    with s3_errors(f"read {place}", where=s3.where, permission="s3:GetObject"):
        try:
            return connection.get_object(Bucket=s3.registry_bucket, Key=place)["Body"].read()
        except ClientError as exc:
            if code_of(exc) in MISSING:
                return None
            raise
