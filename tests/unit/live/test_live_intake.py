"""The door for outcomes: who may, what is kept, and that it is kept before it is acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.live.recorded import CHAMPION, SALES, Bucket, filled, look

from mlflowctl.errors import UnavailableError, UsageError
from mlflowctl.live import intake
from mlflowctl.registry.live_policy import ERROR_RATE, Live
from mlflowctl.serving.records import Record

TOKEN = "a-token-of-more-than-twenty-letters"


@pytest.fixture
def opened():
    made = []

    def start(keep):
        server = intake.server(TOKEN, keep, 0)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        made.append(server)
        return server.server_port

    yield start
    for server in made:
        server.shutdown()
        server.server_close()


def send(port: int, body: bytes, path: str = intake.PATH, method: str = "POST", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {"Authorization": f"Bearer {TOKEN}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found, answer.headers


def kept(folder: Path) -> list[dict]:
    return [
        json.loads(line) for one in sorted(folder.glob("*.jsonl")) for line in one.read_text().splitlines()
    ]


def test_outcomes_are_on_disk_when_they_are_acknowledged(opened, tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor) or real(descriptor))
    port = opened(intake.to_files(tmp_path / "o"))
    status, answer, _ = send(port, b'{"request_id": "a", "value": 1}\n\n{"value": true, "request_id": "b"}')
    assert (status, answer) == (200, {"kept": 2})
    assert kept(tmp_path / "o") == [{"request_id": "a", "value": 1.0}, {"request_id": "b", "value": 1.0}]
    assert len(synced) == 2  # the file, and the folder that has its name
    send(port, b'{"request_id": "c", "value": 0.5}\n')
    assert len(kept(tmp_path / "o")) == 3
    assert len(synced) == 3


@pytest.mark.parametrize(
    "sent", ["", "Bearer", "Bearer wrong", f"bearer {TOKEN}", f"Basic {TOKEN}", "Bearer ü"]
)
def test_without_the_token_nothing_is_kept(opened, tmp_path, sent):
    port = opened(intake.to_files(tmp_path))
    status, _, headers = send(port, b'{"request_id": "a", "value": 1}', Authorization=sent)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no outcome"),
        (b"\n\n", "no outcome"),
        (b"request_id,value\n", "Line 1: it is no JSON"),
        (b'{"request_id": "a", "value": 1}\n[]', "Line 2: it must be an object"),
        (b'{"request_id": "a"}', "it must be an object with request_id and value"),
        (b'{"request_id": "a", "value": 1, "more": 1}', "and nothing else"),
        (b'{"request_id": 7, "value": 1}', "request_id must be text"),
        (b'{"request_id": "", "value": 1}', "request_id must be text"),
        (b'{"request_id": "%s", "value": 1}' % (b"a" * 201), "1 to 200"),
        (b'{"request_id": "a", "value": "1"}', "value must be a finite number"),
        (b'{"request_id": "a", "value": NaN}', "value must be a finite number"),
        (b'{"request_id": "a", "value": 1e999}', "value must be a finite number"),
        (b'{"request_id": "a", "value": %s}' % (b"9" * 400), "value must be a finite number"),
        (b'{"request_id": "a", "value": null}', "value must be a finite number"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_request_with_one_bad_line_is_refused_whole(opened, tmp_path, body, said):
    status, answer, _ = send(opened(intake.to_files(tmp_path)), body)
    assert status == 400
    assert said in answer["error"]
    assert kept(tmp_path) == []


def test_too_much_is_refused_before_it_is_read(opened, tmp_path):
    port = opened(intake.to_files(tmp_path))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = ["POST /outcomes HTTP/1.1", "Host: a", f"Authorization: Bearer {TOKEN}"]
        connection.sendall("\r\n".join([*head, "Content-Length: 1000001", "", ""]).encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/", "POST", {}, 404),
        (intake.PATH, "GET", {}, 405),
        (intake.PATH, "POST", {"Content_Length": "-1"}, 411),
        (intake.PATH, "POST", {"Content_Length": "x"}, 411),
        (intake.PATH, "POST", {"Content_Length": "9" * 40}, 413),
        (intake.PATH, "POST", {"Transfer_Encoding": "chunked", "Content_Length": "3"}, 411),
    ],
)
def test_other_requests_get_their_answers(opened, tmp_path, path, method, headers, status):
    assert send(opened(intake.to_files(tmp_path)), b"", path, method, **headers)[0] == status


def test_what_cannot_be_kept_is_not_acknowledged(opened):
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    def away(_: bytes) -> None:
        raise UnavailableError("The store does not answer.")

    for keep, said in ((full, "No space left on device"), (away, "The store does not answer.")):
        status, answer, _ = send(opened(keep), b'{"request_id": "a", "value": 1}')
        assert status == 503
        assert said in answer["error"]


def test_a_line_that_a_power_cut_left_half_written_is_cut_off(tmp_path):
    keep = intake.to_files(tmp_path)
    keep(b'{"request_id": "a", "value": 1.0}\n')
    (file,) = tmp_path.glob("*.jsonl")
    with file.open("ab") as handle:
        handle.write(b'{"request_id": "b", "va' + b"l" * 100_000)
    keep(b'{"request_id": "c", "value": 1.0}\n')
    assert [one["request_id"] for one in kept(tmp_path)] == ["a", "c"]


def test_many_writers_at_once_lose_nothing(opened, tmp_path):
    port = opened(intake.to_files(tmp_path))

    def write(name: int) -> None:
        for number in range(20):
            assert send(port, json.dumps({"request_id": f"{name}-{number}", "value": 1}).encode())[0] == 200

    writers = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    assert len({one["request_id"] for one in kept(tmp_path)}) == 160


def test_outcomes_in_the_bucket_are_objects_below_the_model(opened):
    bucket = Bucket()
    port = opened(intake.to_bucket(bucket, "churn/eu"))
    for _ in range(2):
        assert send(port, b'{"request_id": "a", "value": 1}')[0] == 200
    assert len(bucket.held) == 2
    for key, body in bucket.held.items():
        assert key.startswith("outcomes/churn%2Feu/")
        assert key.endswith(".jsonl")
        assert body == b'{"request_id": "a", "value": 1.0}\n'


def test_what_came_in_is_what_a_live_test_reads(opened, tmp_path):
    port = opened(intake.to_files(tmp_path / "in"))
    assert send(port, b'{"request_id": "r1", "value": 1}')[0] == 200
    bucket = filled([Record(1.0, "r1", "champion", CHAMPION, 11, 200, 1.0)], 1, 1)
    live = Live(metrics=(ERROR_RATE, replace(SALES, data=f"{tmp_path}/in/")))
    found = look(bucket, live, tmp_path)
    assert found.steps[0].champion.outcomes["sales"].mean == 1.0


class TestToken:
    def test_it_is_made_for_the_owner_alone_and_stays(self, tmp_path):
        path = tmp_path / "some" / "token"
        made = intake.token_of(path)
        assert len(made) > 40
        assert path.stat().st_mode & 0o777 == 0o600
        assert intake.token_of(path) == made

    def test_a_file_that_others_can_read_is_refused(self, tmp_path):
        path = tmp_path / "token"
        intake.token_of(path)
        path.chmod(0o640)
        with pytest.raises(UsageError, match="can be read by others"):
            intake.token_of(path)

    @pytest.mark.parametrize("text", ["", "short", "two words of more than twenty", "ü" * 30])
    def test_a_file_without_a_token_is_refused(self, tmp_path, text):
        path = tmp_path / "token"
        path.write_text(text)
        path.chmod(0o600)
        with pytest.raises(UsageError, match="holds no token"):
            intake.token_of(path)
