"""Inside the sandbox: load the model, predict, measure, and leave the results in files.

Runs as ``python -I -B child.py JOB`` in the model's environment, which need not have mlflowctl. Nothing is
taken from standard output, because models print, and nothing is pickled, because whoever reads a pickle
runs it.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

WARM_UP = 3
LATENCY_SHARE = 0.25  # of the time limit, at most, goes into measuring latencies


def main() -> None:
    """Run the trial that the job file describes."""
    job = json.loads(Path(sys.argv[1]).read_text())
    result: dict[str, Any] = {"ok": False, "error": "", "example": "absent"}
    try:
        trial(job, result)
        result["ok"] = True
    except MemoryError:
        result["error"] = (
            f"{result.get('step', 'loading')}: more than {job['memory_mb']} MB of memory are needed"
        )
    except BaseException as exc:
        result["error"] = f"{result.get('step', 'loading')}: {type(exc).__name__}: {exc}"
    result["peak_memory_mb"] = peak_memory_mb()
    Path(job["result"]).write_text(json.dumps(result))
    os._exit(0)  # not by way of whatever the model has registered for the exit


def trial(job: dict[str, Any], result: dict[str, Any]) -> None:
    """Fill ``result`` step by step, so that a failure leaves what was known before it."""
    result["step"] = "starting"
    import mlflow.pyfunc

    result["step"] = "loading"
    began = time.perf_counter()
    model = mlflow.pyfunc.load_model(job["model"])
    result["load_seconds"] = time.perf_counter() - began

    rows = read_and_predict(model, job, result) if job["rows"] else None
    sample = None
    try:
        sample = model.metadata.load_input_example(job["model"])
        parameters = model.metadata.load_input_example_params(job["model"])
        if sample is not None:
            result["example"] = example(model, sample, parameters)
    except Exception as exc:
        result["example"] = f"failed: {type(exc).__name__}: {exc}"
    result["step"] = "measuring the latency"
    if rows is not None and len(rows):
        measure(model, rows, job, result)
    elif not result["example"].startswith("failed"):
        measure(model, sample, job, result)


def read_and_predict(model: Any, job: dict[str, Any], result: dict[str, Any]) -> Any:
    """Predict all rows at once, and leave the predictions. Returns the rows."""
    import numpy
    import pandas

    result["step"] = "reading the rows"
    rows = pandas.read_parquet(job["rows"])
    result["step"] = "predicting"
    began = time.perf_counter()
    answer = model.predict(rows)
    result["predict_seconds"] = time.perf_counter() - began
    numpy.save(job["predictions"], plain(answer), allow_pickle=False)
    return rows


def example(model: Any, sample: Any, parameters: Any) -> str:
    """The input example predicted twice: finite, and the same."""
    import numpy

    first, second = (plain(model.predict(sample, params=parameters)) for _ in range(2))
    for one in (first, second):
        if one.dtype.kind in "fc" and not numpy.isfinite(one).all():
            return "not finite"
    return "ok" if numpy.array_equal(first, second) else "not deterministic"


def measure(model: Any, data: Any, job: dict[str, Any], result: dict[str, Any]) -> None:
    """The time of one-row predictions, milliseconds."""
    import numpy

    if data is None:
        return
    frame = hasattr(data, "iloc")
    until = time.monotonic() + LATENCY_SHARE * job["timeout"]
    times: list[float] = []
    for index in range(WARM_UP + job["repeat"]):
        row = data.iloc[[index % len(data)]] if frame else data
        began = time.perf_counter()
        model.predict(row)
        if index >= WARM_UP:
            times.append((time.perf_counter() - began) * 1000)
        if times and time.monotonic() > until:
            break
    result["latency_p50_ms"], result["latency_p95_ms"] = (
        float(one) for one in numpy.percentile(times, (50, 95))
    )


def plain(answer: Any) -> Any:
    """Predictions as an array without Python objects: numbers, booleans or text.

    Raises:
        TypeError: they are something else.
    """
    import numpy

    if hasattr(answer, "to_numpy"):
        answer = answer.to_numpy()
    if hasattr(answer, "toarray"):
        answer = answer.toarray()
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = [json.dumps(one, sort_keys=True, default=str) for one in answer]
    found = numpy.asarray([answer] if isinstance(answer, str | dict) else answer)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.dtype.kind in "biufUSM":
        return found
    if found.dtype.kind == "O" and all(isinstance(one, str) for one in found.flat):
        return found.astype(str)
    try:
        return found.astype(float)
    except (TypeError, ValueError):
        raise TypeError(f"predictions of type {type(answer).__name__} ({found.dtype})") from None


def peak_memory_mb() -> float:
    """The most resident memory so far.

    ``getrusage`` would count what the process was before exec, so it is only asked where there is no /proc.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    unit = 1024 * 1024 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
