"""One model's life under steady load: not one request fails, whatever is changed or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil
import pytest

from mlflowctl.registry.desk import Desk
from mlflowctl.serving import records
from tests.stack.conftest import COMMAND, clean_environment
from tests.stack.serving.conftest import BODY, Served
from tests.stack.serving.load import Load

REQUESTS = 20_000


@pytest.mark.timeout(900)
def test_stage_ramp_kill_promote_rollback_without_a_failed_request(make_served, capsys):
    """The whole story in one test: its parts build on each other, and the load runs through all of them."""
    one: Served = make_served()
    one.serve("--workers", "2")
    kills: list[float] = []
    with Load(one.port, BODY, clients=8, pause=0.005) as load:
        one.stage(2, "two")
        one.model("serving", "--wait", "60")
        _ramp(one, load)
        _kill_servers(one, load, kills)
        _kill_supervisor(one, load)
        one.promote("--wait", "60")
        one.until(lambda: one.state["champion"] == 2)
        seconds, loading = _rollback(one, load)
        one.stage(3, "three")
        one.model("serving", "--wait", "60")
        _kill_controller(one, load)
        one.model("traffic", "--challenger", "0", "--yes")  # the abort
        aborted = one.until(lambda: one.state["share"] == 0)
        while load.total < REQUESTS:
            time.sleep(0.5)
        one.model("serving")
    with capsys.disabled():
        print(
            f"\n{load.total} requests, {len(load.failed(kills))} failed, of those in flight on {len(kills)} "
            f"killed servers {len(load.failures) - len(load.failed(kills))}; slowest {load.slowest:.1f} s; "
            f"rollback to the first old answer {seconds:.1f} s, {loading:.1f} s of it after the switch; "
            f"abort {aborted:.1f} s"
        )
    assert load.failed(kills) == [], f"{load.failures}\n{one.log()}"
    assert len(load.failures) <= 8 * len(kills)
    assert load.total >= REQUESTS
    assert seconds <= 60
    assert aborted <= 10
    _every_request_is_on_record_once(one, load)


def _ramp(one: Served, load: Load) -> None:
    for share in ("5%", "25%"):
        one.model("traffic", "--challenger", share, "--yes", "--reason", "ramp")
        one.until(lambda share=share: one.state["share"] == float(share[:-1]) / 100)
        before = load.versions()
        one.until(lambda before=before: sum((load.versions() - before).values()) > 1000)
        since = load.versions() - before
        got = since["2"] / sum(since.values())
        assert abs(got - one.state["share"]) < 0.03, (share, since)


def _kill_servers(one: Served, load: Load, kills: list[float]) -> None:
    def kill(pid: int) -> None:
        kills.append(time.time())
        os.kill(pid, signal.SIGKILL)

    for version in (2, 1):
        pid = one.pids(version)[0]
        kill(pid)
        one.until(lambda pid=pid, version=version: one.pids(version) and pid not in one.pids(version))
        before = load.versions()[str(version)]
        one.until(lambda before=before, version=version: load.versions()[str(version)] > before)
    for pid in one.pids(1):  # all of the champion's at once: what waits is answered when one has loaded
        kill(pid)
    before = load.versions()["1"]
    one.until(lambda: load.versions()["1"] > before + 100)


def _kill_supervisor(one: Served, load: Load) -> None:
    os.kill(one.state["pid"], signal.SIGKILL)
    before = load.total
    one.until(lambda: load.total > before + 300)
    one.serve()
    one.until(lambda: all(server["state"] == "ready" for server in one.state["servers"]))


def _kill_controller(one: Served, load: Load) -> None:
    """A live test begins; its controller dies; the share stays as it is."""
    arguments = ["live", "run", one.name, "--policy", str(one.folder / "promotion.yaml"), "--yes"]
    environment = clean_environment(MLFLOWCTL_DATA_DIR=str(one.stack.layout.root))
    with subprocess.Popen([*COMMAND, *arguments], env=environment, stderr=subprocess.DEVNULL) as controller:
        one.until(lambda: one.state["share"] == 0.1)
        controller.kill()
    before = load.versions()
    one.until(lambda: load.versions()["3"] > before["3"] + 10)
    assert one.state["share"] == 0.1


def _rollback(one: Served, load: Load) -> tuple[float, float]:
    """Seconds from the command to the old version's first answer, and those from the switch to it."""
    load.first.pop("1", None)
    began = time.time()
    one.model("rollback", "--yes", "--wait", "60", "--reason", "a test")
    one.until(lambda: "1" in load.first)
    moved = Desk(one.stack.context).head(one.name).state["rolled_back"]["at"]
    from datetime import datetime

    switched = datetime.fromisoformat(moved.replace("Z", "+00:00")).timestamp()
    return load.first["1"] - began, load.first["1"] - switched


def _every_request_is_on_record_once(one: Served, load: Load) -> None:
    """Clients' count and the gateway's records agree, by version, across kills of the shipper.

    A request whose answer broke off half way has a record and no answer.
    """
    one.stop()
    objects = Desk(one.stack.context).objects
    found = [
        record
        for gateway, sequence in records.chunks(objects, one.name, {})
        for record in records.read_chunk(objects, one.name, gateway, sequence)
    ]
    counted: dict[str, int] = {}
    for record in found:
        counted[str(record.version)] = counted.get(str(record.version), 0) + 1
    answered = load.versions()
    assert set(counted) == set(answered)
    beyond = {version: counted[version] - answered[version] for version in counted}
    assert min(beyond.values()) >= 0
    assert sum(beyond.values()) <= len(load.failures)
    assert len({record.request for record in found}) == len(found)
    assert not [process for process in psutil.process_iter() if _of(process, str(one.place.root))]


def _of(process: psutil.Process, folder: str) -> bool:
    try:
        return any(folder in word for word in process.cmdline())
    except psutil.Error:
        return False
