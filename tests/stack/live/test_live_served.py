"""The whole thing for real: model servers, gateway, records, load, and a controller that must see harm."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.stack.conftest import COMMAND, clean_environment
from tests.stack.serving.conftest import BODY, make_served, sources
from tests.stack.serving.load import Load

from mlflowctl.live.state import LiveTest
from mlflowctl.registry.desk import Desk
from mlflowctl.serving.traffic import of_state

pytestmark = pytest.mark.timeout(600)
__all__ = ["make_served", "sources"]  # fixtures
POLICY = """version: 1
models:
  {name}:
    holdout: {{data: holdout.csv, target: target}}
    metrics: [{{name: roc_auc, direction: higher, role: primary, rule: superior}}]
    live:
      steps: [{steps}]
      minimum: 100
      metrics: [{{name: error rate, source: errors, role: guardrail, margin: 0.05}}]
"""


class Controlled:
    """A served model and its controller."""

    def __init__(self, served, steps: str) -> None:
        self.served, self.desk = served, Desk(served.stack.context)
        policy = Path(served.folder) / "live.yaml"
        policy.write_text(POLICY.format(name=served.name, steps=steps))
        self.command = [*COMMAND, "live", "run", served.name, "--policy", str(policy), "--yes"]
        self.err = Path(served.folder) / "controller.err"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Controlled:
        environment = clean_environment(MLFLOWCTL_DATA_DIR=str(self.served.stack.layout.root))
        with self.err.open("wb") as err:
            self.process = subprocess.Popen(
                self.command, env=environment, stdin=subprocess.DEVNULL, stdout=err, stderr=err
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def state(self):
        return self.desk.head(self.served.name).state

    @property
    def share(self) -> float:
        return of_state(self.state).share

    def until(self, true, within: float = 60.0) -> float:
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < within, self.err.read_text()
            time.sleep(0.1)
        return time.monotonic() - began


def test_a_challenger_that_fails_is_aborted_within_ten_seconds_of_its_first_failures(make_served, capsys):
    served = make_served()
    served.serve()
    served.stage(2, "failing")
    served.model("serving", "--wait", "90")
    with (
        Load(served.port, BODY, clients=4) as load,
        Controlled(served, "{share: 0.2, minutes: 5}") as control,
    ):
        control.until(lambda: control.share == 0.2)
        control.until(lambda: load.failures)
        took = control.until(lambda: control.share == 0.0, within=20)
        assert control.process.wait(30) == 3
        said = control.err.read_text()
        served.until(lambda: served.state["share"] == 0)
        after = len(load.failures)
        time.sleep(2)
        assert len(load.failures) == after, "nobody meets the challenger any more"
    with capsys.disabled():
        print(f"\nfirst failed answer to share 0: {took:.1f} s, {after} failed of {load.total}")
    assert "ABORT: harm to error rate" in said
    assert LiveTest.of(control.state).event == "aborted"
    assert took < 10


def test_a_challenger_that_hangs_is_aborted_within_ten_seconds(make_served, capsys):
    served = make_served()
    served.serve()
    served.stage(2, "two")
    served.model("serving", "--wait", "90")
    with Controlled(served, "{share: 0.05, minutes: 5}") as control:
        control.until(lambda: control.share == 0.05)
        time.sleep(4)  # seen alive
        pids = served.pids(2)
        assert pids
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            took = control.until(lambda: control.share == 0.0, within=20)
            assert control.process.wait(30) == 3
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        said = control.err.read_text()
    with capsys.disabled():
        print(f"\nhang to share 0: {took:.1f} s")
    assert "ABORT: the server of v2 does not answer any more" in said
    assert took < 10


def test_real_traffic_up_the_ramp_to_the_pass(make_served):
    served = make_served()
    served.serve()
    served.stage(2, "two")
    served.model("serving", "--wait", "90")
    steps = "{share: 0.1, minutes: 0.1}, {share: 0.5, minutes: 0.1}"
    with Load(served.port, BODY, clients=4) as load, Controlled(served, steps) as control:
        control.until(lambda: control.process.poll() is not None, within=120)
        said = control.err.read_text()
        assert control.process.returncode == 0, said
        assert control.share == 0.5
        assert load.versions()["2"] > 100
    assert load.failures == []
    assert "passed at" in said
