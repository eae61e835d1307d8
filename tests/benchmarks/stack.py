"""A stack of its own for the benchmarks: temporary folder, free ports, gone at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflowctl.stack import processes, tracking_server
from mlflowctl.stack.layout import Layout
from mlflowctl.stack.run import pid_file
from tests.benchmarks.servers import Server

COMMAND = str(Path(sys.executable).with_name("mlflowctl"))


def mlflowctl(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, in an environment that names no other stack."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW", "AWS_")) and "proxy" not in key.lower()
    }
    done = subprocess.run(
        [COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    if check and done.returncode != 0:
        raise RuntimeError(f"mlflowctl {arguments[0]} failed ({done.returncode}): {done.stderr[-2000:]}")
    return done


@contextmanager
def cold_stack(folder: Path) -> Iterator[tuple[Layout, float]]:
    """An empty folder brought ``up``; yields it with the seconds that took. Deleted at the end."""
    layout = Layout.at(folder)
    began = time.perf_counter()
    try:
        mlflowctl("up", "--data-dir", str(folder), "--auto-ports")
        yield layout, time.perf_counter() - began
    finally:
        if layout.exists():
            mlflowctl("down", "--data-dir", str(folder), "--volumes", "--confirm", layout.load().name)


def ours(layout: Layout) -> Server:
    """The stack's MLflow server."""
    process = processes.recorded(pid_file(layout, "mlflow"))
    if process is None:
        raise RuntimeError("the stack's MLflow server does not run")
    return Server("ours", layout.load().ports.mlflow, process.pid)


def restart_ours(layout: Layout) -> float:
    """Stop and start the stack's MLflow server by itself; the seconds from its start to an answer."""
    from tests.benchmarks.servers import wait_for_api

    process = processes.recorded(pid_file(layout, "mlflow"))
    assert process is not None
    process.terminate()
    process.wait(60)
    began = time.perf_counter()  # the supervisor starts it again at once
    wait_for_api(layout.load().ports.mlflow)
    return time.perf_counter() - began


def server_environment(layout: Layout) -> dict[str, str]:
    return tracking_server.environment(layout, layout.load())


def client_environment(layout: Layout) -> dict[str, str]:
    """Variables for clients with S3 keys, as ``mlflowctl env --with-s3`` prints them."""
    text = mlflowctl("env", "--data-dir", str(layout.root), "--with-s3", "--format", "json").stdout
    variables: dict[str, str] = json.loads(text)
    return variables
