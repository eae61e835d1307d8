"""The servers under test: ours as ``mlflowctl up`` starts it, and stock ``mlflow server`` beside it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PROBE = "/api/2.0/mlflow/registered-models/search?max_results=1"
START_TIMEOUT = 180.0
SECRET_FILES = ("PGPASSFILE", "AWS_SHARED_CREDENTIALS_FILE")


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        name: ``ours``, ``defaults`` or ``one worker``.
        port: where it listens on 127.0.0.1.
        pid: the process whose tree is the server.
    """

    name: str
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory_mb(self) -> tuple[float, int]:
        """PSS of the whole tree in megabytes, and the number of its processes."""
        tree = family(self.pid)
        return sum(process.memory_full_info().pss for process in tree) / 1e6, len(tree)


def family(pid: int) -> list[psutil.Process]:
    """The process and all its descendants."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_api(port: int, process: subprocess.Popen[bytes] | None = None, authorization: str = "") -> None:
    """Poll until an API call that reads the database is answered.

    Raises:
        RuntimeError: it ended, or took too long.
    """
    deadline = time.monotonic() + START_TIMEOUT
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        try:
            headers = {"Authorization": authorization} if authorization else {}
            probe = urllib.request.Request(f"http://127.0.0.1:{port}{PROBE}", headers=headers)
            with opener.open(probe, timeout=5) as answer:
                answer.read()
                return
        except (OSError, urllib.error.URLError):
            if process is not None and process.poll() is not None:
                break
            time.sleep(0.05)
    raise RuntimeError(f"the server on port {port} did not come up")


@contextmanager
def stock(
    name: str,
    options: list[str],
    environment: dict[str, str],
    backend: str,
    artifacts: str,
    folder: Path,
    authorization: str = "",
) -> Iterator[Server]:
    """A stock ``mlflow server`` as long as the block lasts.

    Args:
        name: what the tables call it.
        options: further options of ``mlflow server`` (none: its defaults).
        environment: its whole environment.
        backend: ``--backend-store-uri``, without a password.
        artifacts: ``--artifacts-destination``.
        folder: where it may write its log and whatever it leaves in its working folder.
        authorization: header of the requests that see whether it serves.
    """
    port = free_port()
    command = [str(Path(sys.executable).with_name("mlflow")), "server"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", backend, "--artifacts-destination", artifacts, *options]
    home = folder / name.replace(" ", "-")
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_api(port, process, authorization)
        yield Server(name, port, process.pid)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server and every process that descends from it; kill what stays."""
    try:
        tree = family(process.pid)
    except psutil.Error:
        tree = []
    process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(tree, timeout=10)
    for left in alive:
        try:
            left.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=5)
    process.wait(timeout=10)


def stock_environment(ours: dict[str, str], scratch: Path) -> dict[str, str]:
    """What a person would export for a stock server on the same stores, and nothing of our tuning."""
    keep = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
    stores = (
        *SECRET_FILES,
        "AWS_CONFIG_FILE",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "MLFLOW_S3_ENDPOINT_URL",
    )
    kept = {key: os.environ[key] for key in keep if key in os.environ}
    bin_folder = str(Path(sys.executable).parent)
    return {
        **kept,
        "PATH": os.pathsep.join([bin_folder, kept.get("PATH", os.defpath)]),
        "TMPDIR": str(scratch),
        # Nothing of a benchmark leaves this machine.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        **{key: ours[key] for key in stores if key in ours},
    }
