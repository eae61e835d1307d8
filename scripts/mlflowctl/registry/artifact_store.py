"""Where artifacts are, and how single files are listed and read: MLflow's proxy, or S3 itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from mlflowctl.errors import NotFoundError, UsageError
from mlflowctl.registry.rest import CHUNK, Rest
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOPS = 5  # models:/ may name another models:/ address, but not for ever
UNCHANGED = "Nothing was changed."


class ArtifactStore:
    """Where artifacts are read: through MLflow's proxy, or from S3 itself.

    Args:
        rest: the tracking server, for ``mlflow-artifacts:`` addresses and for resolving others.
        s3: the object store, for ``s3://`` addresses; None if this context has no keys for it.
    """

    def __init__(self, rest: Rest, s3: S3Settings | None = None) -> None:
        self.rest = rest
        self.s3 = s3

    @property
    def where(self) -> str:
        """The object store as a person names it."""
        return self.s3.where if self.s3 else "S3"

    @cached_property
    def client(self) -> S3Client:
        """The S3 client; made at the first use, because boto3 takes half a second to import.

        Raises:
            UsageError: this context knows no object store.
        """
        from mlflowctl.storage.client import client

        if self.s3 is None:
            raise UsageError(
                "The artifacts are in S3, and this context knows no object store.",
                state=UNCHANGED,
                next="mlflowctl config show   (eval $(mlflowctl env --with-s3) exports a stack's keys)",
            )
        return client(self.s3)


def resolve(store: ArtifactStore, uri: str) -> str:
    """The address of the files themselves, for an address that names a model, a version or a run.

    ``models:/m-…`` is a logged model, ``models:/NAME/VERSION`` a registered one, ``runs:/ID/PATH`` a
    folder of a run. Every other address comes back as it is.

    Raises:
        UsageError: the address has no meaning.
        NotFoundError: what it names does not exist.
    """
    for _ in range(HOPS):
        scheme, _, rest = uri.partition(":/")
        parts = rest.strip("/").split("/")
        if scheme == "models" and len(parts) == 1 and parts[0].startswith("m-"):
            answer = store.rest.get(f"logged-models/{quote(parts[0], safe='')}")
            uri = str(answer["model"]["info"]["artifact_uri"])
        elif scheme == "models" and len(parts) == 2 and parts[1].isdigit():
            name, version = unquote(parts[0]), parts[1]
            answer = store.rest.get("model-versions/get-download-uri", name=name, version=version)
            uri = str(answer["artifact_uri"])
        elif scheme == "runs" and len(parts) > 1:
            uri = "/".join([run_root(store, parts[0]), *parts[1:]])
        elif scheme in ("models", "runs"):
            raise UsageError(
                f"{uri!r} names no single model.", state=UNCHANGED, next="mlflowctl model status"
            )
        else:
            return uri
    raise UsageError(f"{uri!r} leads nowhere.", state=UNCHANGED, next="mlflowctl model status")


def run_root(store: ArtifactStore, run_id: str) -> str:
    """The address of a run's artifacts."""
    found = store.rest.get("runs/get", run_id=run_id)
    return str(found["run"]["info"]["artifact_uri"]).rstrip("/")


@dataclass(frozen=True)
class Place:
    """A folder of artifacts: behind the proxy, or in a bucket.

    Attributes:
        store: that holds it.
        bucket: its bucket; "" behind the proxy.
        root: the folder's path there.
    """

    store: ArtifactStore
    bucket: str
    root: str

    def key(self, name: str) -> str:
        return f"{self.root}/{name}" if self.root else name

    def files(self) -> Iterator[tuple[str, int]]:
        """Every file below the folder: its path from there, and its size in bytes."""
        return _s3_files(self) if self.bucket else _proxy_files(self)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of one file, a megabyte at a time."""
        return _s3_pieces(self, name) if self.bucket else self.store.rest.artifact(self.key(name))

    def holds(self, name: str) -> bool:
        """True if the file is listed: the proxy answers a missing file with an error of any kind (500)."""
        folder, _, last = name.rpartition("/")
        listed = self.store.rest.artifacts(self.key(folder).rstrip("/")) if not self.bucket else []
        return bool(self.bucket) or any(found["path"] == last for found in listed)

    def write(self, content: bytes) -> None:
        """Write one file; here ``root`` is the file's own path."""
        from mlflowctl.storage.errors import s3_errors

        if not self.bucket:
            self.store.rest.put_artifact(self.root, content)
            return
        doing = f"write s3://{self.bucket}/{self.root}"
        with s3_errors(doing, where=self.store.where, permission="s3:PutObject"):
            self.store.client.put_object(Bucket=self.bucket, Key=self.root, Body=content)


def place(store: ArtifactStore, uri: str) -> Place:
    """Where the artifacts of an address are.

    Raises:
        UsageError: behind another server, or in a kind of store that this tool does not read.
    """
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return Place(store, parts.netloc, parts.path.strip("/"))
    if parts.scheme == "mlflow-artifacts":
        # The login of one server must not be sent to another that an address happens to name.
        if parts.hostname and parts.hostname != urlsplit(store.rest.uri).hostname:
            raise UsageError(
                f"The artifacts are behind another server, {parts.netloc}.",
                state=UNCHANGED,
                next="Choose the context of that server.",
            )
        path = unquote(parts.path).strip("/")
        return Place(store, "", path.removeprefix("api/2.0/mlflow-artifacts/artifacts/"))
    raise UsageError(
        f"Artifacts at {uri!r} cannot be read: only mlflow-artifacts: and s3: addresses can.",
        state=UNCHANGED,
        next="Register the model from a run whose artifacts are in the object store.",
    )


def safe_name(name: str) -> str:
    """The name, if it stays below a folder; names come from whoever wrote to the store."""
    parts = name.split("/")
    bad = any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name
    if bad or PurePosixPath(name).is_absolute():
        raise UsageError(
            f"The artifact name {name!r} leads out of the model's folder.",
            state="Nothing was written. No MLflow client writes such names: the store was tampered with.",
            next="Look at who wrote it, then register the model again.",
        )
    return name


def _proxy_files(place: Place) -> Iterator[tuple[str, int]]:
    folders = [""]
    while folders:
        folder = folders.pop()
        for found in place.store.rest.artifacts(place.key(folder).rstrip("/")):
            name = f"{folder}/{found['path']}" if folder else str(found["path"])
            if found.get("is_dir"):
                folders.append(safe_name(name))
            else:
                yield name, int(found.get("file_size") or 0)


def _s3_files(place: Place) -> Iterator[tuple[str, int]]:
    from mlflowctl.storage.errors import s3_errors

    client, prefix = place.store.client, place.key("")
    doing = f"list s3://{place.bucket}/{place.root}"
    with s3_errors(doing, where=place.store.where, permission="s3:ListBucket"):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=prefix):
            for found in page.get("Contents", []):
                name = found["Key"].removeprefix(prefix)
                if name and not (name.endswith("/") and found["Size"] == 0):  # what browsers make as folders
                    yield name, found["Size"]


def _s3_pieces(place: Place, name: str) -> Iterator[bytes]:
    from botocore.exceptions import ClientError

    from mlflowctl.storage.errors import code_of, s3_errors

    key = place.key(name)
    with s3_errors(f"read s3://{place.bucket}/{key}", where=place.store.where, permission="s3:GetObject"):
        try:
            body: Any = place.store.client.get_object(Bucket=place.bucket, Key=key)["Body"]
        except ClientError as exc:
            if code_of(exc) in ("NoSuchKey", "404"):
                raise NotFoundError(f"s3://{place.bucket}/{key} does not exist.") from None
            raise
        yield from body.iter_chunks(CHUNK)
