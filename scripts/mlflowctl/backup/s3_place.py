"""Sets in a bucket, reached with the AWS chain and not with the keys of the stack that is backed up."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.backup.places import CHUNK, MANIFEST, Place, object_path
from mlflowctl.errors import UsageError
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def settings(environ: Mapping[str, str] | None = None) -> S3Settings:
    """The store of s3:// addresses: AWS, or what AWS_ENDPOINT_URL_S3 names; keys by the AWS chain."""
    env = os.environ if environ is None else environ
    if file := env.get("MLFLOWCTL_BACKUP_KEYS"):
        return _given(Path(file), env)
    endpoint = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or _profile_region() or "us-east-1"
    return S3Settings(endpoint_url=endpoint, region=region)


def _given(file: Path, env: Mapping[str, str]) -> S3Settings:
    """In a container of a Compose project: keys in a file; the variables hold those of its own store."""
    from mlflowctl.stack import secrets

    keys, token = secrets.keys_from(file.read_text()), secrets.session_token_from(file.read_text())
    return S3Settings(
        endpoint_url=env.get("MLFLOWCTL_BACKUP_ENDPOINT") or None,
        region=env.get("MLFLOWCTL_BACKUP_REGION") or "us-east-1",
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
        session_token=token,
    )


def _profile_region() -> str | None:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.session.Session().region_name
    except BotoCoreError:
        return None  # the client will say what is wrong with the profile


class S3Place(Place):
    """Sets below a prefix of a bucket.

    No lock: objects are named by their digests and sets by their time, so two backups at once do not harm
    each other.
    """

    def __init__(self, store: S3Settings, bucket: str, prefix: str, name: str) -> None:
        self.store, self.bucket, self.prefix, self.name = store, bucket, prefix, name
        self._scratch: Path | None = None
        self._objects: dict[bytes, int] | None = None

    @classmethod
    def named(cls, text: str) -> S3Place:
        """From ``s3://bucket/prefix``."""
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        if not bucket:
            raise UsageError(f"{text!r} names no bucket.", state="Nothing was changed.")
        prefix = prefix.strip("/")
        return cls(settings(), bucket, f"{prefix}/" if prefix else "", text)

    @cached_property
    def s3(self) -> S3Client:
        from mlflowctl.storage.client import client

        return client(self.store)

    def names(self) -> list[str]:
        found = []
        with self._errors("list the sets", "s3:ListBucket"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix}sets/"
            )
            for page in pages:
                found += [
                    one["Key"].split("/")[-2]
                    for one in page.get("Contents", [])
                    if one["Key"].endswith(f"/{MANIFEST}")
                ]
        return sorted(found)

    def read(self, path: str) -> Iterator[bytes]:
        from botocore.exceptions import ClientError

        from mlflowctl.storage.errors import code_of

        with self._errors(f"read {path}", "s3:GetObject"):
            try:
                body = self.s3.get_object(Bucket=self.bucket, Key=self.prefix + path)["Body"]
            except ClientError as exc:
                if code_of(exc) in ("NoSuchKey", "404"):
                    raise FileNotFoundError(path) from None
                raise
            yield from body.iter_chunks(CHUNK)

    def size(self, path: str) -> int | None:
        from botocore.exceptions import ClientError

        from mlflowctl.storage.errors import code_of

        with self._errors(f"look at {path}", "s3:GetObject"):
            try:
                return self.s3.head_object(Bucket=self.bucket, Key=self.prefix + path)["ContentLength"]
            except ClientError as exc:
                if code_of(exc) in ("NoSuchKey", "404"):
                    return None
                raise

    def put(self, source: Path, path: str) -> None:
        from boto3.s3.transfer import TransferConfig

        with self._errors(f"write {path}", "s3:PutObject"):
            with source.open("rb") as body:
                if source.stat().st_size <= 8 * CHUNK:
                    self.s3.put_object(Bucket=self.bucket, Key=self.prefix + path, Body=body)
                else:
                    config = TransferConfig(use_threads=False)
                    self.s3.upload_fileobj(body, self.bucket, self.prefix + path, Config=config)
        source.unlink()
        if self._objects is not None and path.startswith("objects/"):
            self._objects[bytes.fromhex(path.removeprefix("objects/").replace("/", ""))] = -1

    def scratch(self) -> Path:
        assert self._scratch is not None
        return self._scratch

    def drafts(self) -> list[Path]:
        return []

    def draft(self, set_name: str) -> Path:
        return self.scratch() / f"{set_name}.jsonl"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        self._scratch = Path(tempfile.mkdtemp(prefix="mlflowctl-backup-"))
        try:
            yield
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def remember(self) -> None:
        """List the objects once, instead of asking for each."""
        self._objects = {}
        with self._errors("list the objects", "s3:ListBucket"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix}objects/"
            )
            for page in pages:
                for one in page.get("Contents", []):
                    digest = "".join(one["Key"].split("/")[-2:])
                    with contextlib.suppress(ValueError):  # not one of ours
                        self._objects[bytes.fromhex(digest)] = one["Size"]

    def has(self, sha256: str, size: int) -> bool:
        if self._objects is None:
            return self.size(object_path(sha256)) == size
        return self._objects.get(bytes.fromhex(sha256)) in (size, -1)

    def _errors(self, doing: str, permission: str) -> contextlib.AbstractContextManager[None]:
        from mlflowctl.storage.errors import s3_errors

        return s3_errors(f"{doing} in {self.name}", where=self.store.where, permission=permission)
