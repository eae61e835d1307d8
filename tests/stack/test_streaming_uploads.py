"""Proxied uploads of every shape arrive whole, and one that breaks off leaves nothing behind."""

from __future__ import annotations

import os
import socket

import pytest

from mlflowctl.stack.processes import wait_until
from mlflowctl.stack.streaming_uploads import PART
from mlflowctl.storage.client import client
from tests.stack.conftest import Stack

ROUTE = "/api/2.0/mlflow-artifacts/artifacts"
pytestmark = pytest.mark.stack


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 5 * PART + 7])
def test_upload_and_download_are_the_same_bytes(stack: Stack, size: int) -> None:
    import requests

    sent = os.urandom(size)
    url = f"{stack.uri}{ROUTE}/streamed/a file {size}.json"
    requests.put(url, data=sent, timeout=60).raise_for_status()
    assert requests.get(url, timeout=60).content == sent
    s3 = stack.context.s3
    assert s3 is not None
    head = client(s3).head_object(Bucket=s3.artifact_bucket, Key=f"streamed/a file {size}.json")
    assert head["ContentType"] == "application/json"


def test_a_broken_upload_leaves_no_object_and_no_parts(stack: Stack) -> None:
    s3 = stack.context.s3
    assert s3 is not None
    store = client(s3)

    def under_way() -> bool:
        open_uploads = store.list_multipart_uploads(Bucket=s3.artifact_bucket).get("Uploads", [])
        return any(one["Key"].startswith("broken/") for one in open_uploads)

    host, port = stack.uri.removeprefix("http://").split(":")
    head = f"PUT {ROUTE}/broken/half.bin HTTP/1.1\r\nHost: {host}:{port}\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: {8 * PART}\r\n\r\n".encode() + os.urandom(3 * PART))
        assert wait_until(under_way, timeout=20)
    assert wait_until(lambda: not under_way(), timeout=20)
    assert "Contents" not in store.list_objects_v2(Bucket=s3.artifact_bucket, Prefix="broken/")
