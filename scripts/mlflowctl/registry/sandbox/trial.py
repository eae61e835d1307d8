"""What a trial found, read back from files that the model's own code could have written."""

from __future__ import annotations

import io
import json
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

RESULT_LIMIT = 1 << 20  # bytes
TEXT_LIMIT = 2000  # characters of any text that comes out of the sandbox
PREDICTIONS_LIMIT = 1 << 30  # bytes
EXAMPLES = ("absent", "ok", "not finite", "not deterministic")


class NotBelievable(Exception):
    """A file from the sandbox is not what the trial writes."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One model, tried in the sandbox.

    Attributes:
        ok: it loaded, and it predicted all rows.
        error: why not; "" otherwise.
        predictions: of the rows, in their order, shape (rows,) or (rows, outputs): numbers, booleans or
            text; None without rows or after a failure.
        example: the model's own input example: ``absent``, ``ok``, ``not finite``, ``not deterministic``, or
            ``failed: …``.
        load_seconds: to load the model, imports of its libraries included; None if it did not load.
        predict_seconds: for all rows at once; None without rows.
        latency_p50_ms: median of one-row predictions, milliseconds; None if there was nothing to predict.
        latency_p95_ms: 95th percentile of the same.
        peak_memory_mb: most resident memory of the process, interpreter and libraries included.
        environment: "local Python 3.11.7", or "uv …" with the digest of the requirements.
        notes: what a reader should know: protections that this machine could not give.
        next: the command that mends it, where it is not the model's fault; "" otherwise.
        attempted: False if the model was never started, so that the trial says nothing about it.
    """

    ok: bool
    error: str = ""
    predictions: numpy.ndarray[Any, Any] | None = None
    example: str = "absent"
    load_seconds: float | None = None
    predict_seconds: float | None = None
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    peak_memory_mb: float | None = None
    environment: str = ""
    notes: tuple[str, ...] = ()
    next: str = ""
    attempted: bool = True


def read_back(path: Path, limit: int) -> bytes:
    """The content of a file in the sandbox's folder, if it is an ordinary file of an ordinary size.

    Raises:
        NotBelievable: it is a link, a pipe, too long, or not there.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        raise NotBelievable(f"{path.name} could not be opened ({exc.strerror})") from None
    with os.fdopen(opened, "rb") as handle:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise NotBelievable(f"{path.name} is no ordinary file")
        content = handle.read(limit + 1)
    if len(content) > limit:
        raise NotBelievable(f"{path.name} is longer than {limit} bytes")
    return content


def read_result(path: Path) -> dict[str, Any]:
    """The trial's JSON, each value of its proper type or left out.

    Raises:
        NotBelievable: it is no such JSON.
    """
    try:
        raw = json.loads(read_back(path, RESULT_LIMIT))
    except (ValueError, RecursionError):
        raise NotBelievable(f"{path.name} is no JSON") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("ok"), bool):
        raise NotBelievable(f"{path.name} is no result of a trial")
    example = clean(raw.get("example"))
    known = example in EXAMPLES or example.startswith("failed: ")
    found: dict[str, Any] = {
        "ok": raw["ok"],
        "error": "" if raw["ok"] else clean(raw.get("error")) or "no reason was given",
        "example": example if known else f"failed: {example}",
    }
    for name in ("load_seconds", "predict_seconds", "latency_p50_ms", "latency_p95_ms", "peak_memory_mb"):
        found[name] = _number(raw.get(name))
    return found


def read_predictions(path: Path, rows: int) -> numpy.ndarray[Any, Any]:
    """The predictions, if they are an array without Python objects and one for each row.

    Raises:
        NotBelievable: they are not.
    """
    import numpy

    content = read_back(path, PREDICTIONS_LIMIT)
    try:
        head = io.BytesIO(content)
        version = numpy.lib.format.read_magic(head)
        shape, _, dtype = (
            numpy.lib.format.read_array_header_1_0(head)
            if version == (1, 0)
            else numpy.lib.format.read_array_header_2_0(head)
        )
        # Looked at first: a header may claim more than there is memory.
        if dtype.kind not in "biufUSM" or math.prod(shape) * dtype.itemsize != len(content) - head.tell():
            raise NotBelievable(f"{path.name} is no array of numbers or texts")
        found: numpy.ndarray[Any, Any] = numpy.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError, SyntaxError, RecursionError) as exc:
        raise NotBelievable(f"{path.name} is no array: {clean(str(exc))}") from None
    if found.ndim not in (1, 2) or len(found) != rows:
        raise NotBelievable(f"{rows} rows, and predictions of the shape {found.shape}")
    return found


def clean(text: object) -> str:
    """Text from the sandbox without what could steer a terminal, and not too long."""
    shown = "".join(
        char if char.isprintable() or char == "\n" else "?" for char in str(text or "")[: TEXT_LIMIT + 1]
    )
    return shown if len(shown) <= TEXT_LIMIT else f"{shown[:TEXT_LIMIT]}…"


def _number(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        number = float(value) if good else math.nan  # type: ignore[arg-type]
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
