"""Start a real SeaweedFS: loopback only, its inner doors closed, three identities."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sysconfig
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import requests

from mlflowctl.storage import S3Settings, write_security

READY_WITHIN = 30
ADMIN = ("mlflow-admin", "admin-secret-of-the-test")
# May read everything that needs no administrator, and change nothing.
READER = ("mlflow-reader", "reader-secret-of-the-test")
# Another team, with a bucket of its own: our buckets belong to "someone else" from where it stands.
STRANGER = ("other-team", "stranger-secret-of-the-test")


@dataclass(frozen=True)
class Weed:
    """A running store."""

    process: subprocess.Popen[bytes]
    folder: Path
    ports: dict[str, int] = field(hash=False)

    @property
    def settings(self) -> S3Settings:
        return S3Settings(f"http://127.0.0.1:{self.ports['s3']}", "us-east-1", *ADMIN)


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different; kept open together so that none is given twice."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def admin_ports() -> tuple[int, int]:
    """The lifecycle worker dials the admin's gRPC port at HTTP port + 10000, whatever the flag says."""
    while True:
        (port,) = free_ports(1)
        if port + 10000 > 65535:
            port -= 20000
        try:
            for candidate in (port, port + 10000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", candidate))
        except OSError:
            continue
        return port, port + 10000


def choose_ports() -> dict[str, int]:
    names = [
        "s3",
        "s3.https",
        "s3.grpc",
        "master",
        "master.grpc",
        "volume",
        "volume.grpc",
        "filer",
        "filer.grpc",
    ]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    ports["admin"], ports["admin.grpc"] = admin_ports()
    return ports


def write_identities(path: Path) -> None:
    def identity(name: str, key: tuple[str, str], actions: list[str]) -> dict[str, object]:
        return {
            "name": name,
            "credentials": [{"accessKey": key[0], "secretKey": key[1]}],
            "actions": actions,
        }

    identities = [
        identity("admin", ADMIN, ["Admin", "Read", "Write", "List", "Tagging"]),
        identity("reader", READER, ["Read", "List"]),
        identity("stranger", STRANGER, ["Read:their-bucket", "List:their-bucket"]),
    ]
    path.write_text(json.dumps({"identities": identities}))


def command(folder: Path, ports: dict[str, int]) -> list[str]:
    return [
        str(Path(sysconfig.get_path("scripts")) / "weed"),
        "mini",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-disableHttp=true",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=128",
        "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        f"-s3.config={folder / 's3.json'}",
        f"-s3.cert.file={folder / 'node.crt'}",
        f"-s3.key.file={folder / 'node.key'}",
        *(f"-{port_flag(name)}={port}" for name, port in ports.items()),
    ]


def port_flag(name: str) -> str:
    part, _, kind = name.partition(".")
    return f"{part}.port.{kind}" if kind else f"{part}.port"


def start(folder: Path) -> Weed:
    """Start a store in this folder and wait until its S3 port says that it is healthy."""
    ports = choose_ports()
    (folder / "data").mkdir(exist_ok=True)
    write_identities(folder / "s3.json")
    write_security(folder)
    log = (folder / "weed.log").open("wb")
    process = subprocess.Popen(
        command(folder, ports), cwd=folder, stdout=log, stderr=log, env={**os.environ, "GOMEMLIMIT": "300MiB"}
    )
    weed = Weed(process, folder, ports)
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{weed.settings.endpoint_url}/healthz", timeout=1).ok:
                return weed
        except requests.ConnectionError:
            time.sleep(0.05)
    stop(weed)
    raise AssertionError(f"weed did not start:\n{(folder / 'weed.log').read_text()}")


def stop(weed: Weed) -> None:
    weed.process.terminate()
    try:
        weed.process.wait(15)
    except subprocess.TimeoutExpired:
        weed.process.kill()
        weed.process.wait(15)
    # weed leaves this one behind; its place is fixed.
    Path(f"/tmp/seaweedfs-s3-{weed.ports['s3']}.sock").unlink(missing_ok=True)


def acting_as(settings: S3Settings, key: tuple[str, str]) -> S3Settings:
    return replace(settings, access_key_id=key[0], secret_access_key=key[1])
