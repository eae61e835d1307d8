"""``live status`` and ``live page`` on a real stack, and every ``--json`` as documented."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from live_world import kill
from tests.unit import reference

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def answer(world, *words: str, exits: int = 0):
    """The result of a command's envelope, which must be as documented."""
    done = world.run("live", words[0], world.name, *words[1:], "--json").expect(exits)
    found = reference.validated(f"live.{words[0]}", done.out)
    assert found["ok"] is (exits == 0)
    return found["result"]


def run(world, *more: str, exits: int):
    policy = ("--policy", str(world.policy_file), "--yes", "--once")
    return answer(world, "run", *policy, *more, exits=exits)


def test_the_status_of_a_test_from_the_beginning_to_its_end(make_live):
    world = make_live(steps="{share: 0.2, minutes: 0}, {share: 0.5, minutes: 60}")
    found = answer(world, "status")
    assert (found["test"], found["controller"], found["share"], found["history"]) == (None, None, 0.0, [])

    assert run(world, exits=4)["final"] == "going"
    found = answer(world, "status")
    assert (found["champion"], found["challenger"], found["share"]) == (1, 2, 0.2)
    assert found["ramp"]["next"] == "50 % of the requests"
    assert [one["what"] for one in found["history"]] == ["share 20 %", "started"]
    assert "No controller is running" in found["remarks"][0]

    world.serve(1500)
    assert run(world, exits=4)["share"] == 0.5
    found = answer(world, "status")
    assert (found["ramp"]["index"], 3500 < found["ramp"]["seconds_left"] <= 3600) == (1, True)
    assert found["requests"]["champion"] + found["requests"]["challenger"] == 1500
    assert found["metrics"][0]["interval"]["low"] < 0 < found["metrics"][0]["interval"]["high"]
    assert found["mismatch"]["found"] is False

    world.serve(1500, errors=0.5)
    assert run(world, exits=3)["final"] == "aborted"
    found = answer(world, "status")
    assert (found["test"]["event"], found["verdict"], found["share"]) == ("aborted", "fail", 0.0)
    assert found["remarks"] == []
    told = world.run("live", "status", world.name).expect(0).out
    assert "challenger v2 gets 0 %" in told
    assert "aborted" in told
    # Its entries are read by everything else that reads the ledger.
    rows = world.run("model", "history", world.name, "--json").expect(0).json["result"]["entries"]
    told = [row["what"] for row in rows]
    assert told[:2] == ["live test aborted: v2", "v2 gets 0 % (abort)"]
    world.assert_in_order()


def test_evidence_that_was_changed_or_deleted_later_is_found(make_live):
    world = make_live()
    run(world, exits=4)
    place = world.entries()[-2]["body"]["evidence"]
    assert world.audit().findings == []
    stored = world.desk.objects.get(place)
    world.desk.objects.replace(place, stored.body.replace(b"started", b"passed"), stored.etag)
    assert [one.kind for one in world.audit().findings] == ["evidence"]


def test_refusals_are_told_as_documented(make_live):
    world = make_live()
    world.model("archive", 2, "--reason", "test").expect(0)
    assert run(world, exits=2) is None
    done = world.run("live", "run", world.name, "--policy", str(world.policy_file), "--once").expect(2)
    assert "Add --yes." in done.err
    nobody = world.run("live", "status", "nobody", "--json").expect(2)
    assert reference.validated("live.status", nobody.out)["error"]["code"] == "not_found"
    both = world.run("live", "status", world.name, "--watch", "--json").expect(2)
    assert "exclude each other" in reference.validated("live.status", both.out)["error"]["message"]
    world.policy_file.write_text("models: [")
    refused = answer(world, "run", "--policy", str(world.policy_file), exits=2)
    assert refused["problems"]


def test_a_policy_that_is_changed_during_the_test_ends_the_controller(make_live):
    world = make_live(steps="{share: 0.2, minutes: 60}")
    run(world, exits=4)
    world.write_live(steps="{share: 0.3, minutes: 60}")
    assert run(world, exits=5)["final"] == "policy"
    assert world.traffic.share == 0.2
    assert run(world, "--again", exits=4)["share"] == 0.3


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
def test_the_page_in_a_browser_while_a_controller_runs(make_live, tmp_path):
    world = make_live(steps="{share: 0.2, minutes: 0.02}, {share: 0.5, minutes: 60}")
    started = world.live()
    world.until_share(0.2)
    world.serve(1500)
    world.until_share(0.5)
    page = world.start("live", "page", world.name, "--port", "0", "--json")
    said = page.folder / "err"
    world.until(lambda: said.exists() and "http" in said.read_text(), why="no page")
    url = re.search(r"http://\S+", said.read_text())[0]
    time.sleep(1)

    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=0")
    done = subprocess.run(
        [str(CHROMIUM), *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", url],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
    for identity, text in (("champion", "v1"), ("challenger", "v2"), ("share", "50 %")):
        assert f'id="{identity}">{text}<' in done.stdout
    assert "promotion" not in re.search(r'id="next">([^<]*)<', done.stdout)[1]
    assert re.search(r'class="low">[+−][\d.]+<', done.stdout)
    assert "Controller: runs" in done.stdout
    os.kill(page.pid, signal.SIGINT)
    ended = page.wait().expect(0)
    assert reference.validated("live.page", ended.out)["result"]["url"] == url
    kill(started)
    assert json.loads(ended.out)["result"]["model"] == world.name
