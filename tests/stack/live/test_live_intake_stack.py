"""Outcomes on a real stack: sent by HTTP, they decide the test and stand in its report."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
import urllib.request
import uuid
from pathlib import Path

from mlflowctl.serving.records import Record
from mlflowctl.serving.traffic import of_state

ERRORS = "{name: error rate, source: errors, role: guardrail, margin: 0.05}"


def conversion(data: str) -> str:
    return (
        f"{{name: conversion, source: outcomes, data: {json.dumps(data)}, direction: higher, role: primary, "
        "bounds: [0, 1], window_minutes: 0.005}"
    )


def shipped(world, count: int) -> list[str]:
    """Requests at the present share; the ids of those that the challenger answered."""
    state = world.state
    traffic, dice, rows = of_state(state), random.Random(world.sequence), []
    for _ in range(count):
        variant = "challenger" if dice.random() < traffic.share else "champion"
        rows.append(
            Record(time.time(), uuid.uuid4().hex, variant, state[variant], traffic.step, 200, 9.0, "anna")
        )
    world.ship(rows)
    return [one.request for one in rows if one.variant == "challenger"]


def send(url: str, token: str, ids: list[str]) -> None:
    """Each of these requests led to something."""
    body = "".join(json.dumps({"request_id": one, "value": 1}) + "\n" for one in ids).encode()
    asked = urllib.request.Request(url, body, {"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert json.loads(opener.open(asked, timeout=30).read()) == {"kept": len(ids)}


def test_what_users_did_after_their_requests_decides(make_live, tmp_path):
    world = make_live()
    door = world.start("live", "intake", world.name, "--port", "0", "--json")
    told: list[str] = []

    def opened() -> bool:
        said = Path(door.folder) / "err"
        text = said.read_text() if said.exists() else ""
        told[:] = re.findall(r"(http://\S+) takes outcomes .* the token is in (.+)\. Ctrl-C", text)
        return bool(told)

    try:
        world.until(opened, why="no intake")
        (url, token_file), token = told[0], Path(told[0][1]).read_text().strip()
        folder = f"{Path(token_file).parent}/"
        world.write_live(steps="{share: 0.2, minutes: 0.02}", metrics=f"{ERRORS}, {conversion(folder)}")
        started = world.live("--json")
        world.until_share(0.2)
        send(url, token, shipped(world, 2000))
        done = started.wait().expect(0)
    finally:
        os.kill(door.pid, signal.SIGINT)
    closed = door.wait().expect(0).json["result"]
    assert done.json["result"]["final"] == "passed"
    assert closed["data"] == folder

    kept = json.loads(world.desk.objects.get(world.entries()[-1]["body"]["evidence"]).body)
    notes = kept["evidence"]["outcomes"]["conversion"]
    assert notes["unknown"] == notes["repeated"] == notes["unusable"] == 0
    assert notes["rows"] > 300
    page, text = tmp_path / "report.html", tmp_path / "report.md"
    for file in (page, text):
        answer = world.run("live", "report", world.name, "--out", str(file), "--json").expect(0)
        assert answer.json["result"] == {"model": world.name, "version": 2, "file": str(file)}
    html = page.read_text()
    assert "Live test" in html
    assert "conversion: how the interval of the difference narrowed" in html
    assert "| conversion | " in text.read_text()


def test_the_intake_of_a_model_that_nobody_registered_is_refused(make_live):
    world = make_live()
    done = world.run("live", "intake", "nobody", "--port", "0").expect(2)
    assert "nobody" in done.err
