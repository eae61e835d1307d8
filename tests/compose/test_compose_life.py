"""One project's life on a real engine: built, started, looked at from both sides, killed, kept, removed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.compose.projects import LONG_LIVED, ComposeProject


def test_every_service_serves_and_the_one_shot_ended_well(life: ComposeProject):
    done = life.cli("status", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["result"]["services"]}
    assert {name: row["state"] for name, row in rows.items()} == dict.fromkeys(LONG_LIVED, "serving")
    assert life.inspect("bootstrap")["State"]["ExitCode"] == 0


def test_doctor_finds_nothing_from_the_host(life: ComposeProject):
    done = life.cli("doctor", "--json")
    checks = json.loads(done.stdout)["result"]["checks"]
    assert done.returncode == 0, done.stdout
    assert [one["name"] for one in checks if one["verdict"] != "ok"] == []
    assert {"engine", "compose", "published-ports", "engine-disk", "guard", "schema", "ledgers"} <= {
        one["name"] for one in checks
    }


def test_smoke_test_passes_from_the_host(life: ComposeProject):
    done = life.cli("smoke-test", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"]


def test_smoke_test_passes_from_another_container_through_the_service_name(life: ComposeProject):
    done = life.compose("run", "--rm", "--no-deps", "--no-TTY", "bootstrap", "smoke-test", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "http://mlflow:5000" in done.stdout + done.stderr


def test_bootstrap_again_has_nothing_to_do_and_two_at_once_are_safe(life: ComposeProject):
    results = []

    def once() -> None:
        results.append(life.cli("bootstrap", "--json"))

    threads = [threading.Thread(target=once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.returncode for one in results] == [0, 0], [one.stderr for one in results]
    for one in results:
        answer = json.loads(one.stdout)["result"]
        assert (answer["created"], answer["changed"]) == (0, 0)


def test_anonymous_and_wrong_logins_are_refused_and_health_stays_open(life: ComposeProject):
    search = "/api/2.0/mlflow/registered-models/search?max_results=1"
    assert life.request("GET", search, login=("", ""))[0] == 401
    assert life.request("GET", search, login=("admin", "wrong"))[0] == 401
    assert life.request("GET", "/", login=("", ""))[0] == 401
    for path in ("/health", "/health/deep"):
        assert life.request("GET", path, login=("", ""))[0] == 200


def test_a_foreign_host_name_is_refused(life: ComposeProject):
    search = "/api/2.0/mlflow/registered-models/search?max_results=1"
    assert life.request("GET", search, host="evil.example")[0] == 403


def test_anonymous_s3_is_refused_on_every_path(life: ComposeProject):
    for path in ("/", "/mlflow-artifacts", "/mlflow-registry?list-type=2", "/mlflow-artifacts/x"):
        for method in ("GET", "PUT", "DELETE"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(life.s3 + path, method=method), timeout=10)
            # 405: there is no such request, whoever makes it.
            assert refused.value.code == (405 if path == "/" and method != "GET" else 403), (method, path)


def test_beyond_the_object_stores_loopback_only_s3_serves(life: ComposeProject):
    """SeaweedFS binds the S3 part's gRPC port like S3 itself; it lets in nobody without its certificate."""
    found = life.inspect("object-store")
    s3 = int(_inner_port(life, "object-store"))
    assert listening_ports(found["State"]["Pid"]) == {s3, s3 + 10000}
    (address, *_) = [one["IPAddress"] for one in found["NetworkSettings"]["Networks"].values()]
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    stranger.set_alpn_protocols(["h2"])
    with socket.create_connection((address, s3 + 10000), timeout=10) as plain:
        with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_REQUIRED|BAD_CERTIFICATE"):
            with stranger.wrap_socket(plain) as tls:
                tls.recv(1)


def listening_ports(pid: int) -> set[int]:
    """TCP ports on which the network namespace of a process listens on more than loopback."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, port = local.split(":")
            loopback = address.endswith("7F") or address == "00000000000000000000000001000000"
            if state == "0A" and not loopback:  # listening; the engine's own name server is on 127.0.0.11
                found.add(int(port, 16))
    return found


def _inner_port(project: ComposeProject, service: str) -> str:
    ports = project.inspect(service)["NetworkSettings"]["Ports"]
    published = [port.split("/")[0] for port, bound in ports.items() if bound]
    assert len(published) == 1
    return published[0]


def test_only_loopback_is_published_and_the_database_not_at_all(life: ComposeProject):
    for service in ("mlflow", "object-store"):
        bound = life.inspect(service)["NetworkSettings"]["Ports"].values()
        assert {one["HostIp"] for ports in bound if ports for one in ports} == {"127.0.0.1"}
    database = life.inspect("postgres")["NetworkSettings"]
    assert not any(database["Ports"].values())
    (network,) = database["Networks"]
    assert json.loads(life.engine.docker("network", "inspect", network).stdout)[0]["Internal"] is True


@pytest.mark.parametrize("service", [*LONG_LIVED, "bootstrap"])
def test_containers_are_confined(life: ComposeProject, service: str):
    found = life.inspect(service)
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert any("no-new-privileges" in option for option in host["SecurityOpt"])
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert found["Config"]["User"].split(":")[0] not in ("", "0", "root")
    assert host["LogConfig"]["Type"] == "json-file"
    assert host["LogConfig"]["Config"]["max-size"]
    expected = "no" if service == "bootstrap" else "unless-stopped"
    assert host["RestartPolicy"]["Name"] == expected
    anonymous = [one["Name"] for one in found["Mounts"] if re.fullmatch(r"[0-9a-f]{64}", one.get("Name", ""))]
    assert anonymous == []


def test_no_secret_is_seen_in_inspect_history_logs_or_command_lines(life: ComposeProject):
    places = {"logs": life.compose("logs", "--no-color").stdout}
    for service in (*LONG_LIVED, "bootstrap"):
        identity = life.container(service)
        places[f"inspect {service}"] = life.engine.docker("inspect", identity).stdout
        image = life.inspect(service)["Image"]
        places[f"history {service}"] = life.engine.docker("history", "--no-trunc", image).stdout
        places[f"image {service}"] = life.engine.docker("image", "inspect", image).stdout
        if service in LONG_LIVED:
            places[f"argv {service}"] = life.engine.docker("top", identity, "-o", "pid,args").stdout
    secrets = life.secrets()
    assert len(secrets) >= 5
    for name, value in secrets.items():
        assert len(value) >= 20, name
        for place, text in places.items():
            assert value not in text, f"{name} stands in {place}"


def test_the_server_has_no_rights_of_the_administrator(life: ComposeProject):
    mounted = {one["Destination"] for one in life.inspect("mlflow")["Mounts"]}
    assert not any("postgres-admin" in path or "mlflow-admin" in path for path in mounted), mounted


def writer(project: ComposeProject, stop: threading.Event, acknowledged: list[int]) -> threading.Thread:
    """Log metrics until told to stop; remember those that the server said yes to."""
    experiment = project.api("POST", "experiments/create", {"name": f"kill-{time.time_ns()}"})[
        "experiment_id"
    ]
    run = project.api("POST", "runs/create", {"experiment_id": experiment, "start_time": 1})["run"]["info"][
        "run_id"
    ]

    def write() -> None:
        step = 0
        while not stop.is_set():
            body = {"run_id": run, "key": "m", "value": step, "timestamp": 1, "step": step}
            try:
                project.api("POST", "runs/log-metric", body, timeout=5)
                acknowledged.append(step)
            except (AssertionError, OSError):
                time.sleep(0.1)
            step += 1

    thread = threading.Thread(target=write, daemon=True)
    thread.run_id = run  # type: ignore[attr-defined]
    return thread


@pytest.mark.parametrize("service", LONG_LIVED)
def test_a_killed_container_serves_again_and_nothing_acknowledged_is_lost(
    life: ComposeProject, cold_start: float, service: str
):
    stop, acknowledged = threading.Event(), []
    thread = writer(life, stop, acknowledged)
    thread.start()
    time.sleep(1.5)
    before = life.inspect(service)
    os.kill(before["State"]["Pid"], signal.SIGKILL)
    time.sleep(0.3)
    seconds = life.serving(1.3 * cold_start + 15)
    _object_store_answers(life, 1.3 * cold_start + 15)
    stop.set()
    thread.join(30)
    after = life.inspect(service)
    assert after["RestartCount"] == before["RestartCount"] + 1
    kept: set[int] = set()
    token = ""
    while True:
        page = life.api(
            "GET", f"metrics/get-history?run_id={thread.run_id}&metric_key=m&max_results=1000{token}"
        )
        kept |= {int(one["step"]) for one in page.get("metrics", [])}
        if not page.get("next_page_token"):
            break
        token = f"&page_token={page['next_page_token']}"
    assert acknowledged
    assert set(acknowledged) <= kept, f"lost after {seconds:.1f} s: {sorted(set(acknowledged) - kept)[:5]}"


def _object_store_answers(project: ComposeProject, within: float) -> None:
    began = time.monotonic()
    while True:
        try:
            urllib.request.urlopen(project.s3 + "/", timeout=3)
        except urllib.error.HTTPError as refused:
            if refused.code == 403:
                return
        except OSError:
            pass
        assert time.monotonic() - began < within
        time.sleep(0.1)


def test_what_is_stored_survives_down_and_up_and_a_second_project_beside_it_sees_none_of_it(
    life: ComposeProject, make_project
):
    life.api("POST", "registered-models/create", {"name": "kept over down"})
    life.request("PUT", "/api/2.0/mlflow-artifacts/artifacts/kept/one.txt", {"kept": True})
    second = make_project("beside")  # chooses its ports while those of the first are taken
    life.down()
    second.up()
    assert "registered_models" not in second.api("GET", "registered-models/search?max_results=10")
    life.up()
    life.serving(60)
    assert second.request("GET", "/health")[0] == 200
    assert life.api("GET", "registered-models/get?name=kept%20over%20down")["registered_model"]["name"]
    assert json.loads(life.request("GET", "/api/2.0/mlflow-artifacts/artifacts/kept/one.txt")[1]) == {
        "kept": True
    }
    second.down("--volumes")
    assert second.leftovers() == {"containers": [], "volumes": [], "networks": []}
    assert life.request("GET", "/health/deep")[0] == 200
