"""The controller on a real stack: a ramp to the pass, an abort, deaths and restarts, people in between."""

from __future__ import annotations

import json
import os
import signal
import time

from live_world import kill


def test_from_a_staged_version_up_the_ramp_to_the_pass(make_live):
    world = make_live()
    started = world.live("--json")
    world.until_share(0.2)
    world.serve(1500)
    world.until_share(0.5)
    world.serve(1500)
    done = started.wait().expect(0)

    result = done.json["result"]
    assert (result["final"], result["champion"], result["challenger"], result["share"]) == (
        "passed",
        1,
        2,
        0.5,
    )
    assert world.events() == ["started", "20% by live", "advanced", "50% by live", "passed"]
    # The evidence of the pass stands in the bucket, as the ledger says.
    entry = world.entries()[-1]
    stored = world.desk.objects.get(entry["body"]["evidence"])
    import hashlib

    assert hashlib.sha256(stored.body).hexdigest() == entry["body"]["sha256"]
    kept = json.loads(stored.body)
    assert sum(one["challenger"]["errors"]["seen"] for one in kept["evidence"]["steps"]) > 500
    # Said again, it says the same and changes nothing.
    again = world.live().wait().expect(0)
    assert "awaits a person" in again.out
    assert world.events()[-1] == "passed"
    world.assert_in_order()


def test_harm_is_ended_within_ten_seconds_of_showing_in_the_records(make_live):
    world = make_live(steps="{share: 0.2, minutes: 5}, {share: 0.5, minutes: 5}")
    started = world.live("--interval", "2")
    world.until_share(0.2)
    world.serve(1000, champion_errors=0.01, errors=0.01)
    time.sleep(3)
    assert world.event == "started"
    world.serve(1000, champion_errors=0.01, errors=0.4)
    took = world.until_share(0.0, within=10)

    done = started.wait().expect(3)
    assert took < 10
    assert "ABORT: harm to error rate" in done.err
    assert (world.event, world.traffic.by, world.traffic.why) == ("aborted", "live", "abort")
    assert "v1, gets every request" in done.err
    # What passes on the holdout is not promoted after that either, unless somebody overrides.
    world.stub_validation(2)
    refused = world.model("promote").expect(3)
    assert "taken out of its live test" in refused.err
    assert world.champion == 1
    # Nobody who starts it again by a service manager brings the harm back.
    world.live().wait().expect(3)
    assert world.traffic.share == 0
    world.live("--once", "--again").wait().expect(4)
    assert (world.event, world.traffic.share) == ("started", 0.2)


def test_killed_at_any_moment_the_next_one_goes_on(make_live):
    world = make_live()
    first = world.live()
    world.until_share(0.2)
    assert kill(first).code == -signal.SIGKILL
    status = world.status()
    assert status["controller"]["runs"] is False
    assert status["controller"]["ended"] is False
    assert "No controller is running" in status["remarks"][0]
    assert world.traffic.share == 0.2, "the traffic stays as it is"

    world.serve(1500)
    second = world.live()  # at once: the holder is dead on this machine
    world.until_share(0.5)
    kill(second)
    world.serve(1500)
    third = world.live().wait().expect(0)
    assert "passed" in third.out
    assert world.events() == ["started", "20% by live", "advanced", "50% by live", "passed"]


def test_a_second_controller_is_refused(make_live):
    world = make_live(steps="{share: 0.2, minutes: 5}")
    first = world.live()
    world.until_share(0.2)
    second = world.live().wait().expect(5)
    assert "Another controller tests model" in second.err
    assert f"process {first.pid}" in second.err
    kill(first)


def test_a_person_who_changes_the_traffic_is_yielded_to(make_live):
    world = make_live(steps="{share: 0.2, minutes: 5}")
    started = world.live()
    world.until_share(0.2)
    world.give(0.03)
    done = started.wait().expect(5)
    assert "a person set the share to 3 %" in done.err
    assert (world.traffic.share, world.traffic.by, world.event) == (0.03, "person", "stopped")
    world.live().wait().expect(5)  # and stays yielded to
    assert world.traffic.share == 0.03


def test_another_challenger_ends_the_test(make_live):
    world = make_live(steps="{share: 0.2, minutes: 5}")
    started = world.live()
    world.until_share(0.2)
    number = world.versions(1)[0]
    world.stage(number, "--replace", 2)
    done = started.wait().expect(5)
    assert f"the challenger is v{number} by now, no longer v2" in done.err
    assert (world.event, world.traffic.share) == ("stopped", 0.0)


def test_a_promotion_behind_the_ledgers_back_ends_the_test(make_live):
    world = make_live(steps="{share: 0.2, minutes: 5}")
    started = world.live()
    world.until_share(0.2)
    assert world.transition(2, "Production").ok  # the MLflow UI
    done = started.wait().expect(5)
    assert "yield" in done.err
    assert world.event == "stopped"


def test_sigterm_leaves_the_traffic_and_says_so(make_live):
    world = make_live(steps="{share: 0.2, minutes: 5}")
    started = world.live()
    world.until_share(0.2)
    os.kill(started.pid, signal.SIGTERM)
    done = started.wait().expect(130)
    assert "The traffic stays as it is: v2 gets 20 %, and nobody watches it." in done.err
    assert (world.event, world.traffic.share) == ("started", 0.2)
    status = world.status()["controller"]
    assert (status["runs"], status["ended"]) == (False, True)


def test_a_frozen_model_goes_no_step_up_and_still_aborts(make_live):
    world = make_live(steps="{share: 0.2, minutes: 0.02}, {share: 0.5, minutes: 0}")
    started = world.live()
    world.until_share(0.2)
    world.model("freeze", "--reason", "a release").expect(0)
    world.serve(1500)
    time.sleep(3)
    assert world.traffic.share == 0.2
    world.serve(1000, errors=0.5)
    started.wait().expect(3)
    assert world.traffic.share == 0


def test_shares_that_are_not_as_planned_are_inconclusive_and_hold(make_live):
    world = make_live(steps="{share: 0.2, minutes: 0}, {share: 0.5, minutes: 0}")
    world.once().expect(4)
    world.serve(300)
    real = world.serve.__func__

    import dataclasses

    def lost(rows):  # half of the challenger's records are lost on the way
        kept = [one for n, one in enumerate(rows) if one.variant == "champion" or n % 2]
        type(world).ship(world, [dataclasses.replace(one) for one in kept])

    world.ship = lost
    for _ in range(3):
        real(world, 3000)
    done = world.once().expect(4)
    assert "instead of the planned 20 %" in done.err
    assert world.traffic.share == 0.2
    assert world.status()["mismatch"]["found"] is True
