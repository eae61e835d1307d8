"""``/health/deep`` on a real server: well, and failing with the database or the object store hanging."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from mlflowctl.stack import supervisor
from mlflowctl.stack.processes import family

pytestmark = pytest.mark.stack
PATH = "/health/deep"


@contextmanager
def hanging(stack, component: str) -> Iterator[None]:
    """The component's processes are stopped: connections are made and never answered."""
    processes = list(family(supervisor.components(stack.layout)[component]))
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def until(stack, status: int, within: float = 30) -> requests.Response:
    deadline = time.monotonic() + within
    while (answer := requests.get(stack.uri + PATH, timeout=10)).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)
    return answer


def told(stack, name: str, within: float = 30) -> None:
    """A worker may still give its answer to the trouble before: it is asked until one looked again."""
    deadline = time.monotonic() + within
    while f"deep health: {name}" not in stack.layout.log("mlflow").read_text():
        assert time.monotonic() < deadline, stack.layout.log("mlflow").read_text()
        requests.get(stack.uri + PATH, timeout=10)
        time.sleep(0.2)


def test_a_well_server_says_ok_and_nothing_else(stack):
    answer = requests.get(stack.uri + PATH, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert requests.get(stack.uri + PATH, headers={"Host": "evil.example"}, timeout=10).status_code == 403
    assert requests.post(stack.uri + PATH, timeout=10).status_code == 404


def test_it_is_open_where_the_api_asks_for_a_login_and_fails_in_time_while_something_hangs(new_stack):
    own = new_stack("--auth")
    assert requests.get(own.uri + PATH, timeout=10).status_code == 200
    assert (
        requests.get(own.uri + "/api/2.0/mlflow/experiments/search?max_results=1", timeout=10).status_code
        == 401
    )
    for component, name in (("postgres", "database"), ("object-store", "object store")):
        with hanging(own, component):
            assert until(own, 503).json() == {"status": "failing"}, "no detail"
            began = time.monotonic()
            requests.get(own.uri + PATH, timeout=10)
            assert time.monotonic() - began < 8, "two seconds, on a machine that has the time"
            began = time.monotonic()
            assert requests.get(own.uri + "/health", timeout=10).status_code == 200
            assert time.monotonic() - began < 4, "the event loop goes on"
            told(own, name)
        until(own, 200)
    log = own.layout.log("mlflow").read_text()
    assert log.count("deep health: ok again") <= 4, "once per worker and change"
