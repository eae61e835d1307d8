"""Artifacts and the final checks on a real stack: real models, a real object store, real tampering."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from mlflowctl.errors import NotFoundError, UsageError
from mlflowctl.registry.artifacts import ArtifactStore, fetch, manifest, put_run_artifact, resolve
from mlflowctl.registry.checks import Subject, final_checks
from mlflowctl.registry.policy import Checks
from mlflowctl.registry.port import StageRegistry
from mlflowctl.registry.rest import Rest
from mlflowctl.registry.sandbox import run_trial
from mlflowctl.registry.verdict import Verdict
from mlflowctl.storage.client import client as s3_client
from tests.stack.conftest import Stack, clean_environment

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("artifacts")]
BIG = 200_000_000
ROWS = pandas.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, 1.0, 0.0, 2.0]})

TRAIN = """
import json, mlflow, pandas
from sklearn.linear_model import LinearRegression
rows = pandas.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, 1.0, 0.0, 2.0]})
model = LinearRegression().fit(rows, [1.0, 2.0, 3.0, 5.0])
with mlflow.start_run() as run:
    logged = mlflow.sklearn.log_model(
        model, name="model", serialization_format="skops", input_example=rows.head(2),
        signature=mlflow.models.infer_signature(rows, model.predict(rows)),
        pip_requirements=[f"mlflow=={mlflow.__version__}"], registered_model_name="checked model",
    )
print(json.dumps([run.info.run_id, logged.model_id, logged.registered_model_version]))
"""

MEASURE = """
import json, pathlib, sys
from mlflowctl.registry.artifacts import ArtifactStore, fetch, manifest
from mlflowctl.registry.rest import Rest
from mlflowctl.storage.settings import S3Settings
def peak():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
uri, server, folder, s3 = sys.argv[1:]
store = ArtifactStore(Rest(server), S3Settings(**json.loads(s3)))
list(store.rest.artifacts("")), store.client  # what the libraries need is no part of the question
before = peak()
found = [manifest(store, uri), fetch(store, uri, pathlib.Path(folder))]
assert found[0] == found[1]
print(json.dumps([peak() - before, found[0].files, found[0].sizes]))
"""


@pytest.fixture(scope="module")
def store(stack: Stack) -> ArtifactStore:
    return ArtifactStore(Rest(stack.uri), stack.context.s3)


@pytest.fixture(scope="module")
def s3(stack: Stack):
    return s3_client(stack.context.s3)


@pytest.fixture(scope="module")
def trained(stack: Stack) -> tuple[str, str, int]:
    """A model logged and registered as MLflow 3 does it: the run, the logged model, the version."""
    env = clean_environment(MLFLOW_TRACKING_URI=stack.uri)
    done = subprocess.run([sys.executable, "-c", TRAIN], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run_id, model_id, version = json.loads(done.stdout.splitlines()[-1])
    return run_id, model_id, int(version)


@pytest.fixture
def folder_in_s3(s3, request):
    """A folder of artifacts written past MLflow; gone after the test."""
    key = f"checks/{request.node.name.split('[')[0]}"
    yield key
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="mlflow-artifacts", Prefix=key):
        for found in page.get("Contents", []):
            s3.delete_object(Bucket="mlflow-artifacts", Key=found["Key"])


def addresses(key: str) -> tuple[str, str]:
    return f"mlflow-artifacts:/{key}", f"s3://mlflow-artifacts/{key}"


def test_a_logged_model_is_found_by_every_name_it_has(store, trained):
    run_id, model_id, version = trained
    registry = StageRegistry(store.rest)
    source = registry.version("checked model", version).source
    address = registry.artifact_uri("checked model", version)
    assert address.startswith("mlflow-artifacts:/")
    assert address.endswith(f"/models/{model_id}/artifacts")
    assert {
        resolve(store, one) for one in (source, f"models:/{model_id}", f"models:/checked model/{version}")
    } == {address}
    assert "MLmodel" in manifest(store, f"models:/{model_id}").files
    assert resolve(store, f"runs:/{run_id}/report") == f"mlflow-artifacts:/0/{run_id}/artifacts/report"


def test_a_real_model_passes_and_its_tampered_copy_is_named(store, s3, trained, tmp_path):
    _, model_id, version = trained
    uri = f"models:/{model_id}"
    registered = manifest(store, uri)

    def judged(folder: Path) -> dict[str, tuple[Verdict, str]]:
        found = fetch(store, uri, folder)
        trial = run_trial(folder, ROWS, Checks(), repeat_latency=5)
        one = Subject(version, folder, found, registered.digest, trial, registered)
        return {one.name: (one.verdict, one.detail) for one in final_checks(one, None, Checks())}

    good = judged(tmp_path / "good")
    assert {verdict for verdict, _ in good.values()} == {Verdict.PASS}, good

    key = resolve(store, uri).removeprefix("mlflow-artifacts:/") + "/requirements.txt"
    before = s3.get_object(Bucket="mlflow-artifacts", Key=key)["Body"].read()
    s3.put_object(Bucket="mlflow-artifacts", Key=key, Body=before + b"# one line more\n")
    try:
        bad = judged(tmp_path / "bad")
    finally:
        s3.put_object(Bucket="mlflow-artifacts", Key=key, Body=before)
    assert bad["digests"][0] is Verdict.FAIL
    assert "requirements.txt changed" in bad["digests"][1]
    assert bad["loads"][0] is Verdict.PASS  # the model itself is as good as before: only the digest tells
    assert manifest(store, uri) == registered


def test_missing_artifacts_are_named(store, s3, trained, folder_in_s3):
    for uri in addresses(f"{folder_in_s3}/nothing"):
        with pytest.raises(NotFoundError, match="nothing"):
            manifest(store, uri)
    with pytest.raises(NotFoundError):
        manifest(store, f"models:/m-{'0' * 32}")
    with pytest.raises(NotFoundError):
        manifest(store, "models:/checked model/99")
    with pytest.raises(UsageError, match="another server"):
        manifest(store, "mlflow-artifacts://elsewhere.example/1/models")
    with pytest.raises(UsageError, match="file:///etc"):
        manifest(store, "file:///etc")


@pytest.mark.parametrize("way", [0, 1], ids=["proxy", "s3"])
def test_a_file_that_vanishes_between_listing_and_reading_is_named(store, s3, folder_in_s3, monkeypatch, way):
    s3.put_object(Bucket="mlflow-artifacts", Key=f"{folder_in_s3}/MLmodel", Body=b"x")
    uri = addresses(folder_in_s3)[way]
    monkeypatch.setattr(
        "mlflowctl.registry.artifact_store.Place.files",
        lambda self: iter([("MLmodel", 1), ("weights/part", 5)]),
    )
    with pytest.raises(NotFoundError, match="weights/part"):
        manifest(store, uri)


@pytest.mark.parametrize("way", [0, 1], ids=["proxy", "s3"])
def test_200_mb_are_hashed_and_fetched_in_bounded_memory(stack, s3, folder_in_s3, tmp_path, way):
    source = tmp_path / "weights of a model.bin"
    digest = hashlib.sha256()
    with source.open("wb") as handle:
        for _ in range(BIG // 1_000_000):
            part = os.urandom(1_000_000)
            digest.update(part)
            handle.write(part)
    s3.upload_file(str(source), "mlflow-artifacts", f"{folder_in_s3}/data/{source.name}")
    settings = {
        name: getattr(stack.context.s3, name)
        for name in ("endpoint_url", "access_key_id", "secret_access_key")
    }
    arguments = [addresses(folder_in_s3)[way], stack.uri, str(tmp_path / "copy"), json.dumps(settings)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    grown, files, sizes = json.loads(done.stdout)
    print(f"memory grew by {grown:.1f} MB")
    name = f"data/{source.name}"
    assert (files, sizes) == ({name: digest.hexdigest()}, {name: BIG})
    assert (tmp_path / "copy" / name).stat().st_size == BIG
    assert grown < 40


@pytest.mark.parametrize("way", [0, 1], ids=["proxy", "s3"])
def test_hundreds_of_small_files_with_odd_names(store, s3, folder_in_s3, tmp_path, way):
    contents = {f"part {number % 7}/ß +&{number}.txt": f"{number}".encode() for number in range(300)}
    for name, content in contents.items():
        s3.put_object(Bucket="mlflow-artifacts", Key=f"{folder_in_s3}/{name}", Body=content)
    found = fetch(store, addresses(folder_in_s3)[way], tmp_path / "copy")
    assert found.files == {
        name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())
    }
    written = [one for one in (tmp_path / "copy").rglob("*") if one.is_file()]
    assert {str(one.relative_to(tmp_path / "copy")): one.read_bytes() for one in written} == contents
    with pytest.raises(UsageError, match="not empty"):
        fetch(store, addresses(folder_in_s3)[way], tmp_path / "copy")


def test_evidence_is_written_below_the_runs_artifacts(store, trained):
    run_id, _, _ = trained
    address = put_run_artifact(store, run_id, "mlflowctl/evidence ß.json", b'{"verdict": "pass"}')
    assert address.endswith(f"{run_id}/artifacts/mlflowctl/evidence ß.json")
    folder = address.removesuffix("/evidence ß.json")
    assert manifest(store, folder).files == {
        "evidence ß.json": hashlib.sha256(b'{"verdict": "pass"}').hexdigest()
    }
    with pytest.raises(UsageError, match="leads out"):
        put_run_artifact(store, run_id, "../../other", b"")
