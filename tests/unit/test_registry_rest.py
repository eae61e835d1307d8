"""What answers of MLflow mean. A STAND-IN for the server gives them, in texts as the real one sends them.

The real server is asked by everything in tests/stack.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlflowctl.errors import AccessError, NotFoundError, UnavailableError, UsageError
from mlflowctl.registry.port import StageRegistry
from mlflowctl.registry.rest import GuardRefusal, Rest, UnknownOutcome

REFUSED = (
    '(psycopg2.errors.CheckViolation) mlflowctl guard [champion-required]: model "churn" would have no '
    "champion. Nothing was changed. Promote the successor instead.\nCONTEXT: PL/pgSQL function"
)
BUSY = "mlflowctl guard [busy]: another change of the registry has been open for more than 20 s."
HOST = "Invalid Host header - possible DNS rebinding attack detected"


@dataclass
class StandIn:
    """Answers every request alike.

    Attributes:
        status: of the answer.
        body: of the answer.
        cut: close the connection without an answer, for so many requests.
        slow: seconds before the answer.
        asked: method and path of every request.
    """

    status: int = 200
    body: str = "{}"
    cut: int = 0
    slow: float = 0.0
    uri: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            stand_in.asked.append((self.command, self.path))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if stand_in.cut:
                stand_in.cut -= 1
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            time.sleep(stand_in.slow)
            self.send_response(stand_in.status)
            self.send_header("Content-Length", str(len(stand_in.body.encode())))
            self.end_headers()
            self.wfile.write(stand_in.body.encode())

        do_GET = do_POST = do_DELETE = do_PUT = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.uri = f"http://127.0.0.1:{running.server_address[1]}"
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield stand_in
    running.shutdown()
    running.server_close()
    thread.join()


def mlflow_says(server: StandIn, status: int, code: str, message: str) -> None:
    server.status, server.body = status, json.dumps({"error_code": code, "message": message})


@contextmanager
def free_port() -> Iterator[int]:
    """A port that is taken and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def post(server: StandIn, **more: float) -> dict[str, object]:
    return Rest(server.uri).post("model-versions/transition-stage", {"name": "churn"}, **more)


def test_a_refusal_by_the_guard_carries_the_rule_and_the_guards_own_words(server):
    mlflow_says(server, 400, "BAD_REQUEST", REFUSED)
    with pytest.raises(GuardRefusal) as refused:
        post(server)
    assert refused.value.rule == "champion-required"
    assert refused.value.what.endswith("Promote the successor instead.")
    assert refused.value.state == "Nothing was changed."
    assert refused.value.exit_code == 5


def test_a_busy_guard_changed_nothing_although_the_status_is_503(server):
    mlflow_says(server, 503, "TEMPORARILY_UNAVAILABLE", BUSY)
    with pytest.raises(GuardRefusal) as refused:
        post(server)
    assert refused.value.rule == "busy"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "RESOURCE_DOES_NOT_EXIST", "Model Version (name=churn, version=9) not found"),
        (400, "INVALID_PARAMETER_VALUE", "Registered model alias champion not found."),
    ],
)
def test_what_does_not_exist(server, status, code, message):
    mlflow_says(server, status, code, message)
    with pytest.raises(NotFoundError) as missing:
        Rest(server.uri).get("model-versions/get", name="churn", version=9)
    assert missing.value.what == message


def test_a_model_without_a_champion_has_none_and_an_unknown_model_is_an_error(server):
    registry = StageRegistry(Rest(server.uri))
    mlflow_says(server, 400, "INVALID_PARAMETER_VALUE", "Registered model alias champion not found.")
    assert registry.champion("churn") is None
    mlflow_says(server, 404, "RESOURCE_DOES_NOT_EXIST", "Registered Model with name=churn not found")
    with pytest.raises(NotFoundError):
        registry.champion("churn")


def test_a_host_name_that_the_server_does_not_accept(server):
    server.status, server.body = 403, HOST
    with pytest.raises(AccessError, match="does not accept this host name"):
        post(server)


@pytest.mark.parametrize(
    ("status", "body"), [(401, "You are not authenticated."), (403, "Permission denied")]
)
def test_a_login_that_is_refused(server, status, body):
    server.status, server.body = status, body
    with pytest.raises(AccessError, match=f"HTTP {status}"):
        post(server)


def test_a_permission_that_is_denied_in_mlflows_own_words(server):
    mlflow_says(server, 500, "PERMISSION_DENIED", "Permission denied")
    with pytest.raises(AccessError):
        post(server)


def test_a_change_that_mlflow_refuses_shows_the_first_line_of_its_words(server):
    mlflow_says(server, 400, "INVALID_PARAMETER_VALUE", "Invalid stage: 'Prod'.\nmore\nand more")
    with pytest.raises(UsageError) as refused:
        post(server)
    assert refused.value.what == "MLflow refuses this: Invalid stage: 'Prod'."


def test_a_server_that_cannot_serve_is_asked_twice_when_nothing_is_changed(server):
    mlflow_says(server, 503, "TEMPORARILY_UNAVAILABLE", "(psycopg2.OperationalError) connection refused")
    with pytest.raises(UnavailableError, match="HTTP 503") as down:
        Rest(server.uri).get("model-versions/get")
    assert not isinstance(down.value, UnknownOutcome)
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_change_whose_fate_the_answer_does_not_tell(server, status):
    mlflow_says(server, status, "TEMPORARILY_UNAVAILABLE", "(psycopg2.OperationalError) server closed")
    with pytest.raises(UnknownOutcome) as unknown:
        post(server)
    assert unknown.value.state == "The change may or may not have happened."
    assert len(server.asked) == 1, "a change must be sent once"


def test_an_error_of_mlflows_own_is_no_unknown_outcome(server):
    mlflow_says(server, 500, "INTERNAL_ERROR", "'None' is not an Active stage")
    with pytest.raises(UnavailableError) as failed:
        post(server)
    assert not isinstance(failed.value, UnknownOutcome)


def test_a_web_page_instead_of_an_answer(server):
    server.body = "<html>Welcome</html>"
    for ask in (lambda: Rest(server.uri).get("model-versions/get"), lambda: post(server)):
        with pytest.raises(UsageError, match="not as an MLflow server"):
            ask()


def test_a_kept_connection_that_was_dropped_is_opened_again_for_a_question(server):
    server.cut = 1
    assert Rest(server.uri).get("model-versions/get") == {}
    assert len(server.asked) == 2


def test_a_change_is_never_sent_again_when_the_connection_drops(server):
    server.cut = 1
    with pytest.raises(UnknownOutcome):
        post(server)
    assert len(server.asked) == 1


def test_a_change_that_takes_too_long_may_have_happened(server):
    server.slow = 1.0
    began = time.monotonic()
    with pytest.raises(UnknownOutcome):
        post(server, timeout=0.2)
    assert time.monotonic() - began < 0.9
    assert len(server.asked) == 1


def test_a_change_that_nobody_was_there_to_take_has_not_happened():
    with free_port() as port, pytest.raises(UnavailableError, match="does not answer") as down:
        Rest(f"http://127.0.0.1:{port}").post("x", {})
    assert not isinstance(down.value, UnknownOutcome)
    assert down.value.state == "Nothing was changed."


def test_an_address_that_is_none():
    with pytest.raises(UsageError, match="no address"):
        Rest("http://").get("x")


def test_a_tag_that_is_not_there_is_as_good_as_deleted(server):
    mlflow_says(server, 404, "RESOURCE_DOES_NOT_EXIST", "No model version tag with key=x found")
    StageRegistry(Rest(server.uri)).untag("churn", 1, "x")
    StageRegistry(Rest(server.uri)).untag_model("churn", "x")
    assert [method for method, _ in server.asked] == ["DELETE", "DELETE"]
