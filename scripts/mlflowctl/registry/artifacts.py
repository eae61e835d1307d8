"""A model's files where MLflow keeps them: found, hashed, fetched, without ``import mlflow``.

Everything is read in pieces of one megabyte, so memory does not grow with the size of a model, and by a
few threads, because a model of many small files is a matter of round trips.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflowctl.errors import MlflowctlError, NotFoundError, UnavailableError, UsageError
from mlflowctl.registry.artifact_store import (
    UNCHANGED,
    ArtifactStore,
    Place,
    place,
    resolve,
    run_root,
    safe_name,
)

__all__ = ["ArtifactStore", "Manifest", "fetch", "manifest", "put_run_artifact", "resolve"]

READERS = 4  # as many as Rest keeps connections


@dataclass(frozen=True)
class Manifest:
    """What a model consists of.

    Attributes:
        files: SHA-256 (hex) by path below the model's folder, "/" between the parts.
        sizes: bytes, by the same paths.
    """

    files: dict[str, str]
    sizes: dict[str, int]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of ``files``: one number for the whole model."""
        text = json.dumps(self.files, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def manifest(store: ArtifactStore, uri: str) -> Manifest:
    """Hash every file of a model where it is; nothing is written.

    Args:
        store: where to read.
        uri: of the model's folder; anything that :func:`resolve` understands.

    Raises:
        NotFoundError: there is no file at all, or one vanished meanwhile; named.
        UnavailableError, AccessError: the store does not answer, or refuses.
    """
    return _read(store, uri, None)


def fetch(store: ArtifactStore, uri: str, folder: Path) -> Manifest:
    """Copy every file of a model into a folder, and hash it on the way.

    Args:
        store: where to read.
        uri: of the model's folder; anything that :func:`resolve` understands.
        folder: where to; made if missing. It must be empty, so that nothing but the model is in it.

    Raises:
        UsageError: the folder is not empty, or a name in the store would lead out of it.
        NotFoundError, UnavailableError, AccessError: see :func:`manifest`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", state=UNCHANGED, next="Name a new folder.")
    return _read(store, uri, folder)


def put_run_artifact(store: ArtifactStore, run_id: str, path: str, content: bytes) -> str:
    """Write one file below a run's artifacts.

    Args:
        store: where to write.
        run_id: of the run.
        path: below the run's artifacts: "mlflowctl/evidence.json".
        content: the whole file.

    Returns:
        Its address.
    """
    target = f"{run_root(store, run_id)}/{safe_name(path)}"
    place(store, target).write(content)
    return target


def _read(store: ArtifactStore, uri: str, folder: Path | None) -> Manifest:
    where = place(store, resolve(store, uri))
    sizes = {safe_name(name): size for name, size in sorted(where.files())}
    if not sizes:
        raise NotFoundError(
            f"There are no artifacts at {uri}.",
            state=UNCHANGED,
            next="Were they deleted? Look at the run in the MLflow UI, and at the bucket's older versions.",
        )

    def one(name: str) -> str:
        with _named(where, name, uri):
            return _hash(where.pieces(name), sizes[name], folder / name if folder else None)

    with ThreadPoolExecutor(READERS) as pool:
        waiting = [pool.submit(one, name) for name in sizes]
        try:
            digests = [future.result() for future in waiting]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Manifest(dict(zip(sizes, digests, strict=True)), sizes)


def _hash(pieces: Iterator[bytes], size: int, target: Path | None) -> str:
    """SHA-256 of what comes; written to ``target`` as well if there is one."""
    digest, got = hashlib.sha256(), 0
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
    handle = target.open("xb") if target else None
    try:
        for piece in pieces:
            digest.update(piece)
            got += len(piece)
            if handle:
                handle.write(piece)
    finally:
        if handle:
            handle.close()
    if got != size:
        raise OSError(f"{got} of {size} bytes came")
    return digest.hexdigest()


@contextmanager
def _named(where: Place, name: str, uri: str) -> Iterator[None]:
    """Errors about one file say which file it was."""
    import urllib3

    try:
        yield
    except MlflowctlError as exc:
        gone = isinstance(exc, NotFoundError) or (isinstance(exc, UnavailableError) and not where.holds(name))
        if gone:
            raise NotFoundError(
                f"Artifact {name} of {uri} is missing.",
                state=UNCHANGED,
                next="Was it deleted? Try once more.",
            ) from None
        exc.what = f"Artifact {name} of {uri}: {exc.what}"
        exc.args = (exc.what,)
        raise
    except (OSError, urllib3.exceptions.HTTPError) as exc:
        raise UnavailableError(
            f"Artifact {name} of {uri} could not be read whole: {exc}.",
            state=UNCHANGED,
            next="mlflowctl doctor",
        ) from None
