"""No port of the store but S3 serves objects: every listening socket of the process tree is tried."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import requests
from seaweed import Weed

from mlflowctl.storage import apply, client, plan

SECRET = b"what only a key may read " * 4000  # large enough to be stored as a chunk, not beside the name
METHODS = ("GET", "PUT", "POST", "DELETE")


@pytest.fixture(scope="module")
def stored(weed) -> str:
    """The bucket of an object that must stay closed."""
    for step in plan(weed.settings):
        apply(step, weed.settings)
    bucket = weed.settings.artifact_bucket
    client(weed.settings).put_object(Bucket=bucket, Key="model.bin", Body=SECRET)
    return bucket


def listening(weed: Weed) -> list[tuple[str, int]]:
    """Every listening TCP socket, once all that were asked for are there: the last part starts after S3."""
    processes = [psutil.Process(weed.process.pid)]
    processes += processes[0].children(recursive=True)
    found: list[tuple[str, int]] = []
    deadline = time.monotonic() + 15
    while not set(weed.ports.values()) <= {port for _, port in found} and time.monotonic() < deadline:
        time.sleep(0.2)
        sockets = [one for process in processes for one in process.net_connections("tcp")]
        found = sorted((one.laddr.ip, one.laddr.port) for one in sockets if one.status == "LISTEN")
    return found


def shell(weed: Weed, text: str, folder: Path) -> str:
    """``weed shell`` over gRPC, the way an administrator would, with what this folder holds for keys."""
    address = {
        part: f"127.0.0.1:{weed.ports[part]}.{weed.ports[f'{part}.grpc']}" for part in ("master", "filer")
    }
    process = subprocess.Popen(
        [weed.process.args[0], "shell", f"-master={address['master']}", f"-filer={address['filer']}"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        return process.communicate(text + "\n", timeout=5)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def chunk_of(weed: Weed, bucket: str) -> str:
    """The address of the object's bytes on the volume server, found with the store's own keys."""
    folder = f"/buckets/{bucket}/model.bin.versions"
    version = re.search(r"v_[0-9a-f]+", shell(weed, f"fs.ls {folder}", weed.folder))
    assert version, "the control failed: with the keys, the shell must see the object"
    chunk = re.search(r'"fileId": *"([^"]+)"', shell(weed, f"fs.meta.cat {folder}/{version[0]}", weed.folder))
    assert chunk
    return chunk[1]


def test_only_loopback_and_only_the_ports_that_were_given(weed):
    found = listening(weed)

    assert {address for address, _ in found} == {"127.0.0.1"}
    assert {port for _, port in found} == set(weed.ports.values())


def test_no_port_gives_takes_or_removes_an_object_without_a_key(weed, stored):
    chunk = chunk_of(weed, stored)
    paths = [f"/{stored}/model.bin", f"/buckets/{stored}/model.bin", f"/buckets/{stored}/new", f"/{chunk}"]
    served = []
    for _, port in listening(weed):
        for method in METHODS:
            for path in paths:
                try:
                    answer = requests.request(
                        method, f"http://127.0.0.1:{port}{path}", data=b"intruder", timeout=3
                    )
                except requests.RequestException:
                    continue  # gRPC and TLS ports do not speak plain HTTP
                if answer.ok or SECRET[:25] in answer.content:
                    served.append((port, method, path, answer.status_code))
    assert served == []
    body = client(weed.settings).get_object(Bucket=stored, Key="model.bin")["Body"].read()
    assert body == SECRET


def test_grpc_shows_nothing_without_the_certificate(weed, stored, tmp_path):
    assert stored in shell(weed, "fs.ls /buckets", weed.folder)
    assert stored not in shell(weed, "fs.ls /buckets", tmp_path)


def test_the_keys_of_the_store_are_for_its_owner_only(weed):
    for name in ("security.toml", "ca.crt", "node.crt", "node.key"):
        assert (weed.folder / name).stat().st_mode & 0o077 == 0
