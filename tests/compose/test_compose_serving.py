"""The profile ``serving``: one model's life behind its published port, and what its code can reach."""

from __future__ import annotations

import configparser
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from mlflowctl import defaults
from mlflowctl.registry.objects import Objects
from mlflowctl.serving import records
from mlflowctl.storage.settings import S3Settings
from tests.compose import content
from tests.compose.content import BODY, MODEL, until
from tests.compose.projects import ComposeProject
from tests.stack.serving.load import JSON, Load

FOLDER = "/serving/serving/tiny%20model"
PROFILE = ("--profile", "serving")


class Served:
    """The model that the shared project serves while these tests run."""

    def __init__(self, project: ComposeProject) -> None:
        self.project = project
        self.asked: Counter[str] = Counter()  # requests that were answered, by version

    @property
    def port(self) -> int:
        return int(self.project.variables()["SERVING_PORT"])

    def ask(self) -> requests.Response:
        answer = requests.post(f"http://127.0.0.1:{self.port}/invocations", BODY, headers=JSON, timeout=60)
        assert answer.status_code == 200, answer.text
        self.asked[answer.headers["X-Model-Version"]] += 1
        return answer

    def model(self, *arguments: str) -> str:
        done = self.project.cli("model", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def inside(self, script: str, *arguments: str) -> str:
        """What a shell in the container prints, as the container's user."""
        container = self.project.container("serving")
        return self.project.engine.docker("exec", container, "sh", "-c", script, "sh", *arguments).stdout

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.inside(f"cat '{FOLDER}/status.json'"))
        return found

    def pids(self, version: int) -> list[int]:
        """Of the servers of a version, as numbered in the container."""
        return [pid for one in self.state()["servers"] if one["version"] == version for pid in one["pids"]]

    def keys(self) -> dict[str, str]:
        parser = configparser.RawConfigParser()
        parser.read_string(self.project.secret("s3-serving.ini"))
        return dict(parser["default"])

    def s3(self) -> Any:
        settings = Config(
            signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}
        )
        return boto3.client(
            "s3", endpoint_url=self.project.s3, region_name="us-east-1", config=settings, **self.keys()
        )


@pytest.fixture(scope="module")
def served(life: ComposeProject) -> Iterator[Served]:
    """A champion, served; at the end the container and what was chosen in ``.env`` are gone again."""
    content.become_champion(life, content.log_a_model(life), 1)
    before = (life.folder / ".env").read_text()
    life.set_variable("SERVE_MODEL", MODEL)
    life.set_variable("SERVE_ENVIRONMENT", "local")
    done = life.compose(*PROFILE, "up", "--detach", "--wait", "--no-build", check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-1500:] + life.compose(*PROFILE, "logs", "serving").stdout
    yield Served(life)
    life.compose(*PROFILE, "rm", "--stop", "--force", "serving")
    (life.folder / ".env").write_text(before)


def test_healthy_means_that_the_champion_answers_through_the_published_port(served: Served):
    answer = served.ask()
    assert answer.headers["X-Model-Version"] == "1"
    assert len(answer.json()["predictions"]) == 1
    bound = served.project.inspect("serving")["NetworkSettings"]["Ports"].values()
    assert {one["HostIp"] for ports in bound if ports for one in ports} == {"127.0.0.1"}
    rows = json.loads(served.project.cli("status", "--json").stdout)["result"]["services"]
    (row,) = [one for one in rows if one["name"] == "serving"]
    assert (row["state"], row["address"]) == ("serving", f"127.0.0.1:{served.port}")


def test_the_container_is_confined_and_holds_a_readers_secrets_alone(served: Served):
    found = served.project.inspect("serving")
    host = found["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert found["Config"]["User"] == "10001:10001"
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert list(found["NetworkSettings"]["Networks"]) == [f"{served.project.name}_edge"]
    assert served.inside("ls /run/secrets").split() == ["mlflow-serving.password", "s3-serving.ini"]
    text = json.dumps(found) + served.project.compose(*PROFILE, "logs", "serving").stdout
    for value in (served.project.secret("mlflow-serving.password"), *served.keys().values()):
        assert value not in text
    # A model's process is given neither of the two, nor where they are.
    environment = served.inside("cat /proc/$1/environ", str(served.pids(1)[0])).replace("\0", "\n")
    assert "PATH=" in environment
    assert not any(word in environment for word in ("SECRET", "PASSWORD", "AWS_", "TRACKING", "/run/secrets"))


def test_its_keys_read_models_and_ledger_and_write_records_alone(served: Served):
    s3 = served.s3()
    (entry, *_) = s3.list_objects_v2(Bucket="mlflow-registry", Prefix="ledger/")["Contents"]
    assert s3.get_object(Bucket="mlflow-registry", Key=entry["Key"])["Body"].read()
    s3.put_object(Bucket="mlflow-registry", Key="records/a test/x", Body=b"x")
    refused = {
        "ledger/tiny%20model/000000000099.json": ("put_object", {"Body": b"{}"}),
        entry["Key"]: ("delete_object", {}),
        "leases/tiny%20model.json": ("put_object", {"Body": b"{}"}),
        "evidence/x": ("put_object", {"Body": b"{}"}),
        "evidence/y": ("get_object", {}),
        "recordsx": ("put_object", {"Body": b"{}"}),
    }
    for key, (call, arguments) in refused.items():
        with pytest.raises(ClientError) as error:
            getattr(s3, call)(Bucket="mlflow-registry", Key=key, **arguments)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, (call, key)
    for call, arguments in (("put_object", {"Body": b"x"}), ("delete_object", {})):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(s3, call)(Bucket="mlflow-artifacts", Key="x", **arguments)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_bucket(Bucket="mlflow-registry")


def test_its_login_is_a_readers(served: Served):
    login = (defaults.SERVING_USERNAME, served.project.secret("mlflow-serving.password"))
    search = "/api/2.0/mlflow/registered-models/search?max_results=1"
    assert served.project.request("GET", search, login=login)[0] == 200
    make = "/api/2.0/mlflow/experiments/create"
    assert served.project.request("POST", make, {"name": "by a model"}, login=login)[0] == 403
    alias = {"name": MODEL, "alias": "champion", "version": "1"}
    assert (
        served.project.request("POST", "/api/2.0/mlflow/registered-models/alias", alias, login=login)[0]
        == 403
    )


def test_the_challenger_gets_its_share_and_a_killed_server_costs_no_request(served: Served):
    content.stage(served.project, content.log_a_model(served.project), 2)
    served.model("serving", MODEL, "--wait", "60")
    with Load(served.port, BODY, clients=2, pause=0.02) as load:
        served.model("traffic", MODEL, "--challenger", "50%", "--yes", "--reason", "a test")
        until(lambda: load.versions()["2"] > 20)
        for version in (1, 2):
            (pid, *_) = served.pids(version)
            served.inside("kill -9 $1", str(pid))
            until(lambda pid=pid, version=version: pid not in served.pids(version) and served.pids(version))
            before = load.versions()[str(version)]
            until(lambda before=before, version=version: load.versions()[str(version)] > before)
        before = load.versions()
        until(lambda: sum((load.versions() - before).values()) > 200)
        since = load.versions() - before
    assert load.failures == []
    assert 0.3 < since["2"] / sum(since.values()) < 0.7
    served.asked += load.versions()


def test_restarted_or_killed_the_container_serves_again_and_no_record_is_lost(served: Served):
    began = time.monotonic()
    served.project.compose(*PROFILE, "restart", "serving", timeout=150)
    assert time.monotonic() - began < 90, "the grace of the container was not enough"
    until(lambda: served.state()["champion"] == 1 and served.state()["challenger"] == 2)
    until(served.ask)
    container = served.project.inspect("serving")
    time.sleep(1)  # what was asked stands in the gateway's log by now
    os.kill(container["State"]["Pid"], signal.SIGKILL)
    until(lambda: served.project.inspect("serving")["RestartCount"] > container["RestartCount"])
    until(served.ask)
    folders = served.inside("ls /serving/mlflowctl-10001/models-*").split()
    assert sorted(one.split("-")[0] for one in folders) in (["v1"], ["v1", "v2"]), "models of before are left"
    until(lambda: len(_on_record(served.project)) >= served.asked.total())
    found = _on_record(served.project)
    assert len({one.request for one in found}) == len(found)
    assert Counter(str(one.version) for one in found) == served.asked


def _on_record(project: ComposeProject) -> list[records.Record]:
    parser = configparser.RawConfigParser()
    parser.read_string(project.secret("s3-credentials.ini"))
    keys = parser["default"]
    s3 = S3Settings(
        endpoint_url=project.s3,
        access_key_id=keys["aws_access_key_id"],
        secret_access_key=keys["aws_secret_access_key"],
    )
    objects = Objects(s3)
    return [
        record
        for gateway, sequence in records.chunks(objects, MODEL, {})
        for record in records.read_chunk(objects, MODEL, gateway, sequence)
    ]


def test_without_a_model_it_ends_with_the_reason_and_is_not_started_again(served: Served):
    done = served.project.compose(
        *PROFILE, "up", "--detach", "--wait", "--no-build", "--no-deps", "serving",
        env={"SERVE_MODEL": ""}, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "exited (2)" in done.stderr
    logs = served.project.compose(*PROFILE, "logs", "--no-color", "serving").stdout
    assert logs.count("SERVE_MODEL is empty") == 1
    assert "Write SERVE_MODEL=NAME into .env" in logs
