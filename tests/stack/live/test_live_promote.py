"""Promotion by the controller, baking, and the rollback that nobody has to ask for."""

from __future__ import annotations

import time

from live_world import kill

from mlflowctl.live import notebook


def passing(world, **options):
    """Serve until the controller has passed the challenger."""
    started = world.live(**options)
    world.until_share(0.2)
    world.serve(1500, champion_errors=0.01, errors=0.01)
    world.until_share(0.5)
    world.serve(1500, champion_errors=0.01, errors=0.01)
    return started


def test_promoted_and_baked(make_live):
    world = make_live(promote=True, bake=0.1)
    started = passing(world)
    world.until(lambda: world.champion == 2)
    world.serve(600, champion_errors=0.01)
    done = started.wait().expect(0)
    assert "its baking ended well" in done.out
    assert world.events()[-3:] == ["passed", "promoted", "baked"]
    assert world.status()["baking"][0]["verdict"] == "pass"
    world.assert_one_champion(2)
    world.assert_in_order()
    assert "its baking ended well" in world.live().wait().expect(0).out


def test_never_promoted_without_the_policys_approvals(make_live):
    world = make_live(promote=True, bake=0.05)
    world.write_policy(approvals=1, live=world.policy_file.read_text().split("live: ")[1].strip())
    world.stub_validation(2)
    started = passing(world)
    world.until(lambda: world.event == "passed")
    world.until(lambda: "has 0 of 1 approvals" in (world.status()["doing"] or ""))
    time.sleep(1)
    assert world.champion == 1
    bob = {"MLFLOW_TRACKING_USERNAME": "bob"}
    world.model("approve", 2, "--reason", "looks good", env=bob).expect(0)
    world.until(lambda: world.champion == 2, within=40)
    started.wait().expect(0)


def test_harm_while_baking_is_rolled_back_by_itself(make_live):
    world = make_live(promote=True, bake=5)
    started = passing(world)
    world.until(lambda: world.event == "promoted")
    world.serve(300, champion_errors=0.01)
    time.sleep(1)
    assert world.champion == 2
    world.serve(400, champion_errors=0.5)
    took = world.until(lambda: world.champion == 1, within=15)
    done = started.wait().expect(3)
    assert took < 15
    assert "ROLL BACK: error rate" in done.err
    assert world.event == "rolled-back"
    assert world.tag(2) == "failed"
    world.assert_one_champion(1)
    world.assert_in_order()


def test_killed_while_baking_the_next_one_bakes_on(make_live):
    world = make_live(promote=True, bake=5)
    started = passing(world)
    world.until(lambda: world.event == "promoted")
    kill(started)
    world.serve(400, champion_errors=0.5)
    assert world.champion == 2
    world.live().wait().expect(3)
    assert (world.event, world.champion) == ("rolled-back", 1)


def test_a_persons_promotion_after_the_pass_is_baked(make_live):
    world = make_live(bake=0.03)
    passing(
        world,
    ).wait().expect(0)
    world.model("promote", "--reason", "a person's").expect(0)
    world.live().wait().expect(0)
    assert world.events()[-2:] == ["baking", "baked"]


def test_what_a_killed_controller_had_not_noted_is_read_again(make_live):
    """The pass stands in the ledger, and the notebook is still that of the beginning."""
    world = make_live(steps="{share: 0.5, minutes: 0}", promote=True, bake=60)
    world.once().expect(4)
    early = world.desk.objects.get(notebook.key(world.name))
    world.serve(3000, champion_errors=0.01)
    world.once().expect(4)
    assert (world.event, world.champion) == ("promoted", 2)
    late = world.desk.objects.get(notebook.key(world.name))
    world.desk.objects.replace(notebook.key(world.name), early.body, late.etag)
    world.serve(400, champion_errors=0.5)
    world.once().expect(3)
    assert (world.event, world.champion) == ("rolled-back", 1)
