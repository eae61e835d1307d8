"""What does not come up gets no request; what cannot be done says so and leaves what serves alone."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time

import pytest
import requests

from mlflowctl.registry.desk import Desk
from mlflowctl.serving import records
from mlflowctl.stack import processes
from tests.stack.serving.conftest import BODY, Served
from tests.stack.serving.load import JSON, Load
from tests.unit import reference


def ask(one: Served, **headers: str) -> requests.Response:
    return requests.post(f"{one.url}/invocations", BODY, headers=JSON | headers, timeout=30)


def on_record(one: Served) -> list[records.Record]:
    objects = Desk(one.stack.context).objects
    return [
        record
        for gateway, sequence in records.chunks(objects, one.name, {})
        for record in records.read_chunk(objects, one.name, gateway, sequence)
    ]


def test_a_version_that_does_not_load_gets_no_request_and_the_champion_goes_on(make_served):
    one: Served = make_served("strange name, ä & more")
    one.serve()
    with Load(one.port, BODY, clients=2, pause=0.02) as load:
        one.stage(2, "unloadable")
        one.model("traffic", "--challenger", "50%", "--yes")
        one.until(lambda: "2" in one.state["failed"])
        told = one.model("serving", code=6)
        assert "challenger is v2" in told.stderr
        before = load.total
        one.until(lambda: load.total > before + 50)
    assert set(load.versions()) == {"1"}
    assert load.failures == []
    assert "made not to load" in one.state["failed"]["2"]
    assert "Next try in" in one.log()


def test_a_promoted_version_that_does_not_load_leaves_the_old_one_serving(make_served):
    one: Served = make_served()
    one.serve()
    one.stage(2, "unloadable")
    one.promote("--wait", "5", code=6)
    assert ask(one).headers["X-Model-Version"] == "1"
    one.model("rollback", "--yes", "--wait", "60", "--reason", "it does not load")
    assert ask(one).headers["X-Model-Version"] == "1"


def test_answers_tell_request_and_version_and_testers_choose_the_variant(make_served):
    one: Served = make_served()
    one.serve()
    one.stage(2, "two")
    one.model("serving", "--wait", "60")
    own = ask(one, **{"X-Request-Id": "my-order-17"})
    assert (own.headers["X-Request-Id"], own.headers["X-Model-Version"]) == ("my-order-17", "1")
    assert own.headers["X-Model-Name"] == one.name
    forged = ask(one, **{"X-Request-Id": "no good\tid"})
    assert len(forged.headers["X-Request-Id"]) == 32
    tested = ask(one, **{"X-Model-Variant": "challenger", "X-Request-Id": "tester"})
    assert tested.json() == {"predictions": ["two"]}
    failed = requests.post(f"{one.url}/invocations", b"{", headers=JSON, timeout=30)
    assert (failed.status_code, len(failed.headers["X-Request-Id"])) == (400, 32)
    requests.get(f"{one.url}/ping", timeout=30)
    one.until(lambda: len(on_record(one)) >= 3)
    time.sleep(2.5)  # what else might come
    found = on_record(one)
    # Neither the tester's request nor the ping: only what was drawn is evidence.
    assert sorted(record.status for record in found) == [200, 200, 400]
    assert "my-order-17" in {record.request for record in found}
    assert list(one.place.payloads.iterdir()) == []  # nobody asked for content to be kept


def test_a_request_that_crashes_its_server_costs_that_request_alone(make_served):
    one: Served = make_served()
    one.serve("--workers", "2")
    # What answers in a dead server's place may die as well: its next process finds who waits.
    os.kill(processes.recorded(one.place.run / "fallback.pid").pid, signal.SIGKILL)
    with Load(one.port, BODY, clients=2, pause=0.02) as load:
        poison = requests.post(
            f"{one.url}/invocations", json.dumps({"inputs": ["crash"]}), headers=JSON, timeout=120
        )
        assert poison.status_code == 502
        assert (len(poison.headers["X-Request-Id"]), poison.headers["X-Model-Version"]) == (32, "none")
        assert poison.headers["X-Model-Asked"].endswith("-champion-v1")
        assert "gave no answer" in poison.json()["message"]
        before = load.total
        one.until(lambda: load.total > before + 50)
    # Else only what a killed server had begun to answer.
    assert len(load.failures) <= 2 * 5
    # What no server answered counts for the one that was asked.
    one.until(lambda: poison.headers["X-Request-Id"] in {record.request for record in on_record(one)})
    failed = next(record for record in on_record(one) if record.request == poison.headers["X-Request-Id"])
    assert (failed.variant, failed.version, failed.status) == ("champion", 1, 502)


def test_content_is_kept_where_somebody_asks_for_it(make_served):
    one: Served = make_served()
    said = one.serve("--payloads", "on").stderr
    assert f"bodies included: {one.place.payloads}" in said
    ask(one, **{"X-Request-Id": "my-order-17"})

    def kept() -> list[dict]:
        lines = [json.loads(line) for file in one.place.payloads.glob("*.jsonl") for line in file.open()]
        return [line for line in lines if line["request_id"] == "my-order-17"]

    one.until(kept)  # it is written down behind the answer, so that no client waits for it
    (found,) = kept()
    assert (found["request"], found["status"], found["version"]) == (BODY.decode(), 200, "1")
    assert json.loads(found["answer"]) == {"predictions": ["one"]}
    assert one.place.payloads.stat().st_mode & 0o777 == 0o700


def test_a_model_finds_none_of_our_files_among_its_imports(make_served):
    one: Served = make_served()
    one.serve()
    asked = json.dumps({"inputs": ["who is records?"]})
    found = requests.post(f"{one.url}/invocations", asked, headers=JSON, timeout=30)
    assert found.json() == {"predictions": ["None"]}


def test_a_cookie_keeps_a_client_with_its_variant(make_served):
    one: Served = make_served()
    one.serve()
    one.stage(2, "two")
    one.model("serving", "--wait", "60")
    one.model("traffic", "--challenger", "50%", "--sticky", "--yes")
    one.until(lambda: one.state["share"] == 0.5)
    time.sleep(1)
    seen = set()
    for _ in range(6):
        client = requests.Session()
        answers = {
            client.post(f"{one.url}/invocations", BODY, headers=JSON, timeout=30).headers["X-Model-Version"]
            for _ in range(8)
        }
        assert len(answers) == 1
        seen |= answers
    assert seen == {"1", "2"}


def test_a_shadow_answers_nobody(make_served):
    one: Served = make_served()
    one.serve()
    one.stage(2, "failing")
    one.model("serving", "--wait", "60")
    one.model("traffic", "--challenger", "50%", "--shadow", "--yes")
    one.until(lambda: one.state["mode"] == "shadow")
    time.sleep(1)
    assert {ask(one).headers["X-Model-Version"] for _ in range(20)} == {"1"}
    log = (one.place.logs / "v2.log").read_text
    one.until(lambda: "asked to fail" in log(), within=20)  # the copies reach it all the same


def test_a_second_supervisor_and_a_taken_port_are_refused(make_served):
    one: Served = make_served()
    one.serve()
    assert "already served" in one.serve(code=5).stderr
    other: Served = make_served()
    other.port = one.port
    refused = other.serve(code=2)
    assert f"--port {one.port + 1}" in refused.stderr
    assert ask(one).status_code == 200
    again = one.stack.cli("serve", other.name, "--stop")
    assert (again.returncode, "Nothing to do" in again.stdout) == (0, True)


def test_stop_ends_what_a_killed_supervisor_left(make_served):
    one: Served = make_served()
    one.serve()
    os.kill(one.state["pid"], signal.SIGKILL)
    assert ask(one).status_code == 200  # gateway and servers go on
    poison = json.dumps({"inputs": ["crash"]})
    for _ in range(2):  # both servers, and nobody starts others
        failed = requests.post(f"{one.url}/invocations", poison, headers=JSON, timeout=120)
    assert (failed.status_code, len(failed.headers["X-Request-Id"])) == (502, 32)
    one.stop()
    with pytest.raises(requests.ConnectionError):
        ask(one)


def test_a_model_that_nobody_registered_is_refused_at_once(stack):
    began = time.monotonic()
    done = stack.cli("serve", "never registered", "--detach")
    assert (done.returncode, time.monotonic() - began < 20) == (2, True)
    assert "no registered model" in done.stderr


def test_without_a_champion_clients_are_told_and_load_balancers_are_not_alarmed(make_served):
    one: Served = make_served()
    one.serve()
    one.model("retire", "--confirm", one.name, "--reason", "a test")
    one.until(lambda: one.state["champion"] is None)
    one.until(lambda: ask(one).status_code == 503)
    assert "in Production" in ask(one).json()["message"]
    assert requests.get(f"{one.url}/ping", timeout=30).status_code == 200
    one.stop()
    assert "waits for one" in one.serve(code=6).stderr
    one.stage(2, "two")
    one.promote("--wait", "60")
    assert ask(one).headers["X-Model-Version"] == "2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--env-manager", "conda"), "uv or local"),
        (("--only", "both"), "champion or challenger"),
        (("--payloads", "yes"), "off or on"),
        (("--detach", "--stop"), "exclude"),
        (("--port", "0"), "--port"),
    ],
)
def test_wrong_options_start_nothing(stack, arguments, said):
    done = stack.cli("serve", "x", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_share_needs_a_challenger_and_a_sound_number(make_served):
    one: Served = make_served()
    assert "no challenger" in one.model("traffic", "--challenger", "5%", "--yes", code=2).stderr
    for wrong in ("60%", "-1%", "five", "0.6", "nan"):
        assert "0 to 50%" in one.model("traffic", "--challenger", wrong, "--yes", code=2).stderr
    assert "Add --yes" in _staged(one).model("traffic", "--challenger", "5%", code=2).stderr
    assert "1 to do" in one.model("traffic", "--challenger", "5%", "--dry-run").stdout
    one.model("traffic", "--challenger", "5 %", "--yes")
    assert "Nothing to do" in one.model("traffic", "--challenger", "0.05", "--yes").stdout


def _staged(one: Served) -> Served:
    one.stage(2, "two")
    return one


def test_every_answer_for_programs_is_as_its_schema_says(make_served):
    one: Served = make_served()
    started = reference.validated("serve", one.serve("--json").stdout)["result"]
    assert (started["serving"], started["state"]["champion"]) == (True, 1)
    one.stage(2, "two")
    one.model("serving", "--wait", "60s")
    planned = one.model("traffic", "--challenger", "5%", "--dry-run", "--json")
    assert reference.validated("model.traffic", planned.stdout)["result"]["to_do"] == 1
    done = one.model("traffic", "--challenger", "5%", "--yes", "--json")
    assert reference.validated("model.traffic", done.stdout)["result"]["share"] == 0.05
    equal = one.model("serving", "--json")
    assert reference.validated("model.serving", equal.stdout)["result"]["differences"] == []
    elsewhere = one.model("serving", "--url", "http://127.0.0.1:9", "--json", code=6)
    assert len(reference.validated("model.serving", elsewhere.stdout)["result"]["differences"]) == 2
    ended = one.stack.cli("serve", one.name, "--stop", "--json")
    assert reference.validated("serve", ended.stdout)["result"]["serving"] is False


def test_a_connection_that_is_kept_meets_the_new_champion(make_served):
    """Not only new connections follow the registry."""
    one: Served = make_served()
    one.serve()
    kept = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)

    def version() -> str | None:
        kept.request("POST", "/invocations", BODY, JSON)
        answer = kept.getresponse()
        answer.read()
        return answer.headers["X-Model-Version"]

    assert version() == "1"
    one.stage(2, "two")
    one.promote("--wait", "60")
    assert version() == "2"
