"""Tables that the gates read: CSV, Parquet or JSON lines, from a file or from S3."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.errors import AccessError, NotFoundError, UsageError
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    import pandas as pd

UNJUDGED = "Nothing was judged or changed."
KINDS = {
    ".csv": "CSV",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
}


@dataclass(frozen=True)
class Table:
    """One table as it was read.

    Attributes:
        frame: its rows, numbered from 0.
        digest: SHA-256 (hex) of the file's bytes.
        location: as the policy names it.
    """

    frame: pd.DataFrame
    digest: str
    location: str


def read_table(location: str, folder: str, s3: S3Settings | None) -> Table:
    """Read a table.

    Args:
        location: a path, or s3://bucket/key (taken literally: spaces and any letters are fine).
        folder: where relative paths start.
        s3: the store of s3:// locations; None if there is none.

    Raises:
        NotFoundError: there is no such file or object.
        AccessError: it may not be read.
        UsageError: another extension, not readable as what the extension says, or no rows and columns.
        UnavailableError: the store does not answer.
    """
    suffix = Path(location).suffix.lower()
    if suffix not in KINDS:
        raise UsageError(
            f"{location} is neither CSV, Parquet nor JSON lines.",
            state=UNJUDGED,
            next=f"Use a file that ends in {', '.join(KINDS)}.",
        )
    if location.startswith("s3://"):
        content = _from_s3(location, s3)
    else:
        content = _from_file(Path(folder) / Path(location).expanduser(), location)
    frame = _parse(content, suffix, location)
    return Table(frame, hashlib.sha256(content).hexdigest(), location)


def columns(table: Table, *names: str) -> None:
    """Raises UsageError if the table lacks one of these columns."""
    for name in names:
        if name not in table.frame.columns:
            known = ", ".join(str(one) for one in list(table.frame.columns)[:20])
            raise UsageError(
                f"{table.location} has no column {name!r}; it has: {known or 'none'}.",
                state=UNJUDGED,
                next="Name the right column in the policy, or mend the file.",
            )


def _from_file(path: Path, location: str) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFoundError(
            f"There is no file {location} (looked at {path}).",
            state=UNJUDGED,
            next="Relative paths start at the policy file: mend its path, then repeat the command.",
        ) from exc
    except OSError as exc:
        raise AccessError(
            f"{location} cannot be read ({exc.strerror}).", state=UNJUDGED, next=f"ls -ld '{path}'"
        ) from exc


def _from_s3(location: str, s3: S3Settings | None) -> bytes:
    from botocore.exceptions import ClientError

    from mlflowctl.storage.client import client
    from mlflowctl.storage.errors import code_of, s3_errors

    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise UsageError(f"{location} is not s3://bucket/key.", state=UNJUDGED, next="Mend the policy.")
    if s3 is None:
        raise UsageError(
            f"{location} is in S3, but no object store is set up here.",
            state=UNJUDGED,
            next="mlflowctl config show",
        )
    with s3_errors(f"read {location}", where=s3.where, permission="s3:GetObject", state=UNJUDGED):
        try:
            return client(s3).get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as exc:
            if code_of(exc) in ("NoSuchKey", "NoSuchBucket"):
                raise NotFoundError(
                    f"There is no {location} at {s3.where} ({code_of(exc)}).",
                    state=UNJUDGED,
                    next="Upload it, or name the right object in the policy.",
                ) from exc
            raise


def _parse(content: bytes, suffix: str, location: str) -> pd.DataFrame:
    import pandas as pd

    kind = KINDS[suffix]
    try:
        if kind == "CSV":
            frame = pd.read_csv(io.BytesIO(content))
        elif kind == "Parquet":
            frame = pd.read_parquet(io.BytesIO(content))
        else:
            frame = pd.read_json(io.BytesIO(content), lines=True, dtype=False)
    except Exception as exc:  # each parser has a zoo of its own, and no common base
        first = (str(exc).strip().splitlines() or [type(exc).__name__])[0]
        raise UsageError(
            f"{location} cannot be read as {kind}: {first}",
            state=UNJUDGED,
            next="Mend the file, then repeat the command.",
        ) from exc
    return frame.reset_index(drop=True)
