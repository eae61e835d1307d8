"""Files of outcomes: one, or all in a folder or below an S3 prefix, read a piece at a time."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any

from mlflowctl.errors import AccessError, NotFoundError, UsageError
from mlflowctl.registry.gates.data import KINDS
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Piece = tuple[list[str], npt.NDArray[np.float64]]

ROWS = 50_000  # of a piece
SETTLED = 5.0  # seconds without a change, after which a last line without a line feed is taken for whole
STATE = "The other metrics are judged on; this one waits."


@dataclass(frozen=True)
class File:
    """One file of outcomes.

    Attributes:
        name: its path or s3:// address.
        mark: changes when its content does.
        opened: gives its bytes; they can be sought in.
    """

    name: str
    mark: str
    opened: Callable[[], AbstractContextManager[IO[bytes]]]


def found(location: str, folder: str, s3: S3Settings) -> list[File]:
    """The files of a location, by name; a folder or prefix may have none yet.

    Args:
        location: of the policy: a path or s3://bucket/key, ending with a slash for all files below it.
        folder: where relative paths start.
        s3: the store of s3:// locations.

    Raises:
        NotFoundError: there is no such file or object.
        AccessError, UnavailableError: it may not be read, or the store does not answer.
    """
    if location.startswith("s3://"):
        return _objects(location, s3)
    path = Path(folder) / Path(location).expanduser()
    try:
        if location.endswith("/"):
            return [_local(one) for one in sorted(path.rglob("*")) if one.suffix.lower() in KINDS]
        return [_local(path)]
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFoundError(
            f"There is no file {location} (looked at {path}).",
            state=STATE,
            next="Mend the policy or write it.",
        ) from exc


def pieces(file: File, id_column: str, value_column: str) -> Iterator[Piece]:
    """Ids (text; "" for none) and values (NaN for what is no number) of the rows, a piece at a time.

    Raises:
        UsageError: it is not what its extension says, or lacks a column.
        AccessError, UnavailableError: it cannot be read.
    """
    kind, columns = KINDS[PurePath(file.name).suffix.lower()], [id_column, value_column]
    reader = {"CSV": _csv, "Parquet": _parquet, "JSON lines": _json_lines}[kind]
    try:
        with file.opened() as handle:
            for frame in reader(handle, columns):
                missing = [name for name in columns if name not in frame.columns]
                if missing:
                    raise _Unfit(f"it has no column {missing[0]!r}")
                yield _piece(frame, id_column, value_column)
    except OSError as exc:
        raise AccessError(
            f"{file.name} cannot be read ({exc.strerror or exc}).",
            state=STATE,
            next="Look at its permissions.",
        ) from exc
    except (_Unfit, ValueError, KeyError, UnicodeError) as exc:  # each parser has errors of its own
        first = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        raise UsageError(
            f"{file.name} cannot be read as {kind} with {id_column!r} and {value_column!r}: {first}.",
            state=STATE,
            next="Mend the file or the policy.",
        ) from exc


class _Unfit(Exception):
    """The file is readable and has not what the policy names."""


def _piece(frame: Any, id_column: str, value_column: str) -> Piece:
    import numpy as np
    import pandas as pd

    ids = frame[id_column]
    texts = ids.where(ids.notna(), "").astype(str).tolist()
    values = pd.to_numeric(frame[value_column], errors="coerce")
    return texts, values.to_numpy(dtype=np.float64, na_value=np.nan)


def _csv(handle: IO[bytes], columns: list[str]) -> Iterator[Any]:
    import pandas as pd

    # Ids are text: 007 is not 7, and 20 digits are no float.
    try:
        yield from pd.read_csv(handle, usecols=columns, dtype={columns[0]: str}, chunksize=ROWS)
    except pd.errors.EmptyDataError:
        return


def _json_lines(handle: IO[bytes], _: list[str]) -> Iterator[Any]:
    import pandas as pd

    yield from pd.read_json(handle, lines=True, chunksize=ROWS, dtype=False)


def _parquet(handle: IO[bytes], columns: list[str]) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(handle)
    known = [name for name in columns if name in file.schema_arrow.names]
    for batch in file.iter_batches(batch_size=ROWS, columns=known):
        yield batch.to_pandas()


def _local(path: Path) -> File:
    facts = path.stat()
    whole = PurePath(path).suffix.lower() in (".parquet", ".pq") or time.time() - facts.st_mtime > SETTLED
    end = facts.st_size if whole else _last_line_end(path, facts.st_size)

    def opened() -> IO[bytes]:
        if whole:
            return path.open("rb")
        return io.BufferedReader(_Until(path, end))

    return File(str(path), f"{end}:{facts.st_mtime_ns if whole else 0}", opened)


def _last_line_end(path: Path, size: int) -> int:
    """Somebody is writing: the bytes up to the last line feed."""
    with path.open("rb") as handle:
        for start in range(max(0, size - 65_536), -1, -65_536):
            handle.seek(start)
            at = handle.read(65_536).rfind(b"\n")
            if at >= 0:
                return start + at + 1
    return 0


class _Until(io.RawIOBase):
    """A file that seems to end at a given byte."""

    def __init__(self, path: Path, end: int) -> None:
        self._file, self._end = path.open("rb"), end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(min(len(buffer), self._end - self._file.tell()))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def _objects(location: str, s3: S3Settings) -> list[File]:
    from mlflowctl.storage.client import client
    from mlflowctl.storage.errors import s3_errors

    bucket, _, key = location.removeprefix("s3://").partition("/")
    connection = client(s3)
    with s3_errors(f"list {location}", where=s3.where, permission="s3:ListBucket", state=STATE):
        pages = connection.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        every = [(str(one["Key"]), str(one["ETag"])) for page in pages for one in page.get("Contents", ())]
    if not location.endswith("/"):
        every = [one for one in every if one[0] == key]
        if not every:
            raise NotFoundError(
                f"There is no {location} at {s3.where}.", state=STATE, next="Upload it or mend the policy."
            )
    kept = [one for one in every if PurePath(one[0]).suffix.lower() in KINDS]
    return [_object(connection, s3, bucket, *one) for one in sorted(kept)]


def _object(connection: Any, s3: S3Settings, bucket: str, key: str, etag: str) -> File:
    from mlflowctl.storage.errors import s3_errors

    def opened() -> IO[bytes]:
        copy = tempfile.TemporaryFile()  # noqa: SIM115 (whoever reads closes it; on disk, Parquet seeks)
        with s3_errors(f"read s3://{bucket}/{key}", where=s3.where, permission="s3:GetObject", state=STATE):
            connection.download_fileobj(bucket, key, copy)
        copy.seek(0)
        return copy

    return File(f"s3://{bucket}/{key}", etag, opened)
