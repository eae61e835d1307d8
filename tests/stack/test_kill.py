"""kill -9 of each process under write load: serving again in time, and nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field

import psutil
import pytest
import requests

from mlflowctl.stack import health, supervisor
from mlflowctl.storage.client import client as s3_client

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("kill")]
API = "/api/2.0/mlflow/"


@dataclass
class WriteLoad:
    """Writers that note what was acknowledged: metric steps over the API, objects over S3."""

    stack: object
    run_id: str = ""
    steps: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self):
        uri = self.stack.uri + API
        experiment = requests.post(
            uri + "experiments/create", json={"name": f"load {time.time_ns()}"}, timeout=30
        )
        body = {"experiment_id": experiment.json()["experiment_id"], "start_time": 1}
        self.run_id = requests.post(uri + "runs/create", json=body, timeout=30).json()["run"]["info"][
            "run_id"
        ]
        self.threads = [threading.Thread(target=work) for work in (self._metrics, self._objects)]
        for thread in self.threads:
            thread.start()
        while not (self.steps and self.keys):
            time.sleep(0.05)
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)

    def _metrics(self):
        step, session = 0, requests.Session()
        while not self.stop.is_set():
            step += 1
            body = {"run_id": self.run_id, "key": "m", "value": step, "timestamp": step, "step": step}
            try:
                if session.post(self.stack.uri + API + "runs/log-metric", json=body, timeout=10).ok:
                    self.steps.append(step)
            except requests.RequestException:
                time.sleep(0.02)

    def _objects(self):
        s3, number = s3_client(self.stack.context.s3), 0
        while not self.stop.is_set():
            number += 1
            key = f"load/{self.run_id}/{number}"
            try:
                s3.put_object(Bucket="mlflow-registry", Key=key, Body=key.encode() * 50)
                self.keys.append(key)
            except Exception:
                time.sleep(0.02)

    def assert_goes_on(self, within: float):
        """Both writers get acknowledgements again; one may still wait for the answer to a lost request."""
        steps, keys, until = len(self.steps), len(self.keys), time.monotonic() + within
        while len(self.steps) == steps or len(self.keys) == keys:
            assert time.monotonic() < until, (len(self.steps) - steps, len(self.keys) - keys)
            time.sleep(0.1)

    def assert_nothing_lost(self):
        assert len(self.steps) > 20
        assert len(self.keys) > 20
        found, token = set(), None
        while True:
            query = {"run_id": self.run_id, "metric_key": "m", "max_results": 20000} | (
                {"page_token": token} if token else {}
            )
            page = requests.get(self.stack.uri + API + "metrics/get-history", params=query, timeout=60).json()
            found |= {int(metric["step"]) for metric in page.get("metrics", [])}
            token = page.get("next_page_token")
            if not token:
                break
        assert set(self.steps) <= found, f"{len(set(self.steps) - found)} acknowledged metrics are lost"
        s3 = s3_client(self.stack.context.s3)
        for key in self.keys:
            assert s3.get_object(Bucket="mlflow-registry", Key=key)["Body"].read() == key.encode() * 50


def kill(process: psutil.Process) -> float:
    """kill -9, and the moment at which the process is gone."""
    process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
    return time.monotonic()


@pytest.fixture(scope="module")
def victim(folders):
    from mlflowctl.stack.layout import Layout
    from tests.stack.conftest import Stack, _end

    own = Stack(Layout.at(folders() / "victim"))
    own.up()
    yield own
    _end(own)


@pytest.mark.parametrize("component", ["postgres", "object-store"])
def test_a_killed_store_serves_again_within_15_seconds(victim, component):
    with WriteLoad(victim) as load:
        kill(supervisor.components(victim.layout)[component])
        seconds = max(
            victim.serving(15, lambda: health.database(victim.context.database)),
            victim.serving(15, lambda: health.object_store(victim.context.s3)),
            victim.serving(15),
        )
        load.assert_goes_on(15)
    load.assert_nothing_lost()
    print(f"{component}: serving again after {seconds:.1f} s")


def test_a_killed_worker_is_replaced_while_the_other_serves(victim):
    parent = supervisor.components(victim.layout)["mlflow"]
    with WriteLoad(victim) as load:
        worker = parent.children()[0]
        kill(worker)
        victim.serving(15)
        time.sleep(2)
        workers = parent.children()
    assert len(workers) == 2
    assert worker.pid not in {one.pid for one in workers}
    load.assert_nothing_lost()


def test_a_killed_server_is_back_within_its_cold_start_and_leaves_no_orphan(victim):
    def parent():
        return supervisor.components(victim.layout)["mlflow"]

    def recovery() -> float:
        old = parent()
        workers = old.children()
        dead_since = kill(old)
        psutil.wait_procs(workers, timeout=10)
        assert not any(one.is_running() for one in workers), "an orphan holds the port"
        victim.serving(30)
        assert parent().pid != old.pid
        return time.monotonic() - dead_since

    def cold_start() -> float:
        victim.cli("down")
        began = time.monotonic()
        assert victim.cli("up").returncode == 0
        return time.monotonic() - began

    with WriteLoad(victim) as load:
        under_load = recovery()
    load.assert_nothing_lost()
    # Idle and in turn, so that both are measured under the same conditions.
    pairs = [(cold_start(), recovery()) for _ in range(3)]
    cold, back = (min(column) for column in zip(*pairs, strict=True))
    print(f"cold start {cold:.1f} s, back after {back:.1f} s (under load {under_load:.1f} s)")
    assert back <= 1.3 * cold


def test_after_the_supervisors_death_the_stack_serves_on_and_up_recovers_it(victim):
    with WriteLoad(victim) as load:
        kill(supervisor.running(victim.layout))
        victim.serving(5)
        said = victim.cli("status")
        assert said.returncode == 6
        assert "the supervisor is gone" in said.stderr
        plan = victim.cli("up", "--dry-run")
        assert "left-over" in plan.stdout
        assert victim.cli("up").returncode == 0
    assert supervisor.running(victim.layout) is not None
    assert victim.cli("status").returncode == 0
    load.assert_nothing_lost()


def test_after_the_whole_machines_death_up_recovers_it(victim):
    with WriteLoad(victim) as load:
        everything = [supervisor.running(victim.layout), *supervisor.components(victim.layout).values()]
        everything += [child for one in everything for child in one.children(recursive=True)]
        for process in everything:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
    assert victim.cli("status").returncode == 6
    assert victim.cli("up").returncode == 0
    load.assert_nothing_lost()


def test_a_component_that_cannot_start_is_tried_for_ever_and_up_says_why(victim):
    victim.cli("down")
    damaged = victim.layout.root / "postgres" / "postgresql.conf"
    good = damaged.read_text()
    try:
        damaged.write_text("this is not a setting\n" + good)
        refused = victim.cli("up")
        assert refused.returncode == 1
        assert "postgres keeps dying" in refused.stderr
        assert "mlflowctl logs postgres" in refused.stderr
        assert supervisor.running(victim.layout) is not None
    finally:
        damaged.write_text(good)
    victim.serving(30)
