"""What is asked and answered is kept where somebody asks for it, and never more than there is room for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from asgi_ask import ask

from mlflowctl.serving import payloads
from mlflowctl.serving.model_server import Marked


def served(folder: Path, answer: bytes = b"done") -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    return payloads.Kept(Marked(app, "m", "7"), folder, "v7-1")


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in folder.glob("*.jsonl*") for line in file.read_text().splitlines()]


def test_a_request_is_kept_with_its_answer(tmp_path):
    found = ask(served(tmp_path), "/invocations", b'{"a": ', b"100%s}", headers={"X-Request-Id": "order-17"})
    assert found.body == b"done"
    (line,) = lines(tmp_path)
    assert line.pop("at") > 1.7e9
    assert line == {
        "request_id": "order-17", "version": "7", "status": 200, "request": '{"a": 100%s}', "answer": "done",
    }  # fmt: skip


def test_other_paths_are_not_kept(tmp_path):
    assert ask(served(tmp_path), "/ping").status == 200
    assert lines(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"x" * (payloads.BODY + 1), "x" * payloads.BODY),
        (b"x" + "ä".encode() * payloads.BODY, "x" + "ä" * (payloads.BODY // 2 - 1)),
    ],
)
def test_a_large_body_is_cut_and_says_so(tmp_path, body, kept):
    ask(served(tmp_path), "/invocations", body[:1000], body[1000:])
    (line,) = lines(tmp_path)
    assert (line["cut"], line["request"]) == (True, kept)


def test_what_is_no_text_is_kept_as_base64(tmp_path):
    ask(served(tmp_path), "/invocations", b"\xff\x00")
    assert lines(tmp_path)[0]["request"] == "base64:/wA="


def test_a_disk_that_is_full_costs_no_answer(tmp_path, capsys):
    (tmp_path / "v7-1.jsonl").symlink_to("/dev/full")
    assert ask(served(tmp_path), "/invocations", b"{}").body == b"done"
    assert "No space left" in capsys.readouterr().err


def test_a_request_whose_answer_never_came_is_kept_too(tmp_path):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        ask(payloads.Kept(app, tmp_path, "v7-1"), "/invocations", b"{}")
    assert lines(tmp_path)[0]["request"] == "{}"
    assert "status" not in lines(tmp_path)[0]


def test_the_oldest_files_go_when_there_are_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(payloads, "TOTAL", 25)
    for age, name in enumerate(["v1-1.jsonl", "v1-1.jsonl.1", "v0-9.jsonl"]):
        (tmp_path / name).write_text("x" * 10)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    payloads.prune(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["v1-1.jsonl", "v1-1.jsonl.1"]


def test_a_file_that_is_renamed_while_they_are_counted_disturbs_nothing(tmp_path):
    (tmp_path / "v7-1.jsonl").symlink_to(tmp_path / "gone")  # listed, and not there
    payloads.prune(tmp_path)


def test_it_needs_nothing_but_the_standard_library(tmp_path):
    # As in a model's environment: without site-packages, and without mlflowctl.
    code = f"import runpy; runpy.run_path({payloads.__file__!r})"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
