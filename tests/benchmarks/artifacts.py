"""64 MB up and down, by MLflow's client and by raw boto3 (its own process: ``python artifacts.py SPEC``).

Every round does everything once, in turn. The data is random, so nothing on the way can compress it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 64 * 2**20
RAW = "raw boto3"
DIRECT = "direct"
Operation = Callable[[], object]


def main(spec: dict[str, Any]) -> dict[str, list[float]]:
    """Seconds by "up|subject" and "down|subject".

    Args:
        spec: ``servers`` (name → tracking URI), ``bucket``, ``endpoint``, ``rounds``, ``folder``.
    """
    folder = Path(tempfile.mkdtemp(dir=spec["folder"]))
    try:
        source = folder / "artifact.bin"
        source.write_bytes(os.urandom(SIZE))
        operations = _operations(spec, source, folder)
        seconds: dict[str, list[float]] = {name: [] for name in operations}
        for number in range(int(spec["rounds"]) + 1):
            for name, operation in operations.items():
                began = time.perf_counter()
                operation()
                if number:  # the first round opens connections and imports what is imported late
                    seconds[name].append(time.perf_counter() - began)
        return seconds
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _operations(spec: dict[str, Any], source: Path, folder: Path) -> dict[str, Operation]:
    import boto3
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository as repository

    bucket = spec["bucket"]
    s3 = boto3.client("s3", endpoint_url=spec["endpoint"])
    repositories = {DIRECT: repository(f"s3://{bucket}/bench-direct")}
    for name, uri in spec["servers"].items():
        repositories[name] = repository(f"mlflow-artifacts:/bench-{name.replace(' ', '-')}", tracking_uri=uri)
    operations: dict[str, Operation] = {
        f"up|{RAW}": lambda: s3.upload_file(str(source), bucket, "bench-raw/artifact.bin")
    }
    for name, one in repositories.items():
        operations[f"up|{name}"] = lambda one=one: one.log_artifact(str(source))
    operations[f"down|{RAW}"] = lambda: s3.download_file(
        bucket, "bench-raw/artifact.bin", str(folder / "raw")
    )
    for name, one in repositories.items():
        operations[f"down|{name}"] = lambda one=one, name=name: _download(one, folder / f"from {name}")
    return operations


def _download(repository: Any, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    got = Path(repository.download_artifacts("artifact.bin", str(folder)))
    if got.stat().st_size != SIZE:
        raise RuntimeError(f"{got} has {got.stat().st_size} bytes")


if __name__ == "__main__":
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
