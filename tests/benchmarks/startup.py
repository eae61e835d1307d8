"""How long things take to be there: a whole cold stack, a server, ``--help``, the smoke test."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from mlflowctl.stack.layout import Layout
from tests.benchmarks import servers, stack
from tests.benchmarks.samples import OURS, Samples

BARE = "bare"  # mlflow server on SQLite, nothing else
COLD, HELP, SMOKE = "cold start", "--help", "smoke test"
BIN = Path(sys.executable).parent


def cold(samples: Samples, folder: Path, repeats: int) -> None:
    """Empty folder to verified API, against a bare ``mlflow server`` on SQLite becoming healthy."""
    for number in range(repeats):
        with stack.cold_stack(folder / f"cold-{number}") as (_, seconds):
            samples.add(COLD, OURS, seconds)
        samples.add(COLD, BARE, _bare(folder / f"bare-{number}"))


def _bare(folder: Path) -> float:
    folder.mkdir()
    port = servers.free_port()
    command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    environment = servers.stock_environment({}, folder)
    began = time.perf_counter()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_healthy(port)
        return time.perf_counter() - began
    finally:
        servers.end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_healthy(port: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + servers.START_TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), opener.open(f"http://127.0.0.1:{port}/health", timeout=2):
            return
        time.sleep(0.02)
    raise RuntimeError("the bare server did not become healthy")


def help_pages(samples: Samples, repeats: int) -> None:
    """``mlflowctl --help`` against ``mlflow --help``, both once before, so that files are cached."""
    for number in range(repeats + 1):
        for subject, program in ((OURS, "mlflowctl"), ("mlflow", "mlflow")):
            began = time.perf_counter()
            subprocess.run([str(BIN / program), "--help"], capture_output=True, check=True, timeout=120)
            if number:
                samples.add(HELP, subject, time.perf_counter() - began)


def smoke_test(samples: Samples, layout: Layout, repeats: int) -> None:
    for _ in range(repeats):
        began = time.perf_counter()
        done = stack.mlflowctl("smoke-test", "--data-dir", str(layout.root), check=False)
        if done.returncode != 0:
            samples.notes.append(f"The smoke test ended with {done.returncode}: {done.stderr.strip()[-300:]}")
            return
        samples.add(SMOKE, OURS, time.perf_counter() - began)
