"""The AWS emulator of the Terraform tests: moto as a process of its own, on a port of its own.

Only tests know it. The configurations under ``infra/`` and ``modules/`` carry no emulator hooks: the
variables of :meth:`Emulator.environment` are all that the AWS provider, the S3 backend and boto3 need.
What it is not: it runs no containers and no database, and it asks nobody for permissions unless told to.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-central-1"
ACCOUNT = "123456789012"  # moto's
START_SECONDS = 60


@dataclass(frozen=True)
class Emulator:
    """A running emulator.

    Attributes:
        url: its address, for every AWS service.
        log: the file that it logs each request to.
    """

    url: str
    log: Path

    def environment(self) -> dict[str, str]:
        """The variables that send Terraform, the S3 backend and boto3 here instead of to AWS."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def reset(self) -> None:
        """Forget everything, as after a fresh start."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        urllib.request.urlopen(request, timeout=30).close()

    def ask_for_permissions(self) -> None:
        """From now on a request needs a key that IAM here knows, and a policy that allows it."""
        plain = {"Content-Type": "text/plain"}  # a form's body would be read away
        request = urllib.request.Request(f"{self.url}/moto-api/reset-auth", b"0", plain, method="POST")
        urllib.request.urlopen(request, timeout=30).close()

    def client(self, service: str) -> Any:
        """A boto3 client of one service here."""
        import boto3

        return boto3.session.Session().client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@contextlib.contextmanager
def emulator() -> Iterator[Emulator]:
    """Start an emulator; it is ended with the block."""
    port = _free_port()
    log = Path(tempfile.mkdtemp(prefix="mlflowctl-emulator-")) / "emulator.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.terraform.emulator_server", "--port", str(port)],
            cwd=ROOT,
            env=_own_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    started = Emulator(f"http://127.0.0.1:{port}", log)
    try:
        _wait_until_it_answers(started, process)
        yield started
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _own_environment() -> dict[str, str]:
    """Nothing of the caller's account: moto calls boto3 itself here and there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_"))}
    return kept | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(started: Emulator, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{started.url}/moto-api/", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(f"the emulator did not start:\n{started.log.read_text()[-3000:]}")
