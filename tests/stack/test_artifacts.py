"""200 MB up and down, through the server and past it, compared by SHA-256."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from mlflowctl.storage.client import client as s3_client
from tests.stack.conftest import clean_environment

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("artifacts")]
SIZE = 200_000_000

CLIENT = """
import hashlib, pathlib, sys, mlflow
source, target, experiment = sys.argv[1:]
mlflow.set_experiment(experiment)
with mlflow.start_run() as run:
    mlflow.log_artifact(source, "big")
local = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/big", dst_path=target)
digest = hashlib.sha256()
with open(pathlib.Path(local, pathlib.Path(source).name), "rb") as handle:
    while part := handle.read(1 << 20):
        digest.update(part)
print(run.info.artifact_uri, digest.hexdigest())
"""


@pytest.fixture(scope="module")
def big_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "weights of a model.bin"
    digest = hashlib.sha256()
    with path.open("wb") as handle:
        for _ in range(SIZE // 1_000_000):
            part = os.urandom(1_000_000)
            digest.update(part)
            handle.write(part)
    return path, digest.hexdigest()


def round_trip(stack, big_file, folder, experiment: str, *, with_s3: bool) -> str:
    """Upload and download as a client with nothing but what ``mlflowctl env`` prints."""
    import json

    flags = ("--with-s3",) if with_s3 else ()
    variables = json.loads(stack.cli("env", "--format", "json", *flags).stdout)
    path, digest = big_file
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(path), str(folder), experiment],
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    uri, found = done.stdout.split()[-2:]
    assert found == digest
    return uri


def test_proxied_then_direct_and_the_proxied_experiments_stay_readable(new_stack, big_file, tmp_path):
    own = new_stack()
    proxied = round_trip(own, big_file, tmp_path / "1", "proxied", with_s3=False)
    assert proxied.startswith("mlflow-artifacts:/")

    changed = own.cli("up", "--artifacts", "direct")
    assert changed.returncode == 0, changed.stderr
    assert "artifacts direct" in own.cli("status").stdout

    direct = round_trip(own, big_file, tmp_path / "2", "direct", with_s3=True)
    assert direct.startswith("s3://mlflow-artifacts/")
    still = round_trip(own, big_file, tmp_path / "3", "proxied", with_s3=False)
    assert still.startswith("mlflow-artifacts:/")

    s3 = s3_client(own.context.s3)
    sizes = [o["Size"] for o in s3.list_objects_v2(Bucket="mlflow-artifacts")["Contents"]]
    assert sizes.count(SIZE) == 3


def test_an_unknown_mode_is_refused(stack):
    refused = stack.cli("up", "--artifacts", "both")
    assert refused.returncode == 2
    assert "--artifacts is proxied or direct" in refused.stderr
