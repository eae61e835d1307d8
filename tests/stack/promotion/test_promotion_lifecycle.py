"""The rest of the lifecycle: legal moves, freeze, retire, approvals, overrides, odd names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from promotion_world import World

from mlflowctl.registry import lifecycle
from mlflowctl.registry.verdict import Verdict

pytestmark = pytest.mark.stack


def test_every_illegal_move_is_refused_and_the_legal_ones_are_named(make_model: Callable[..., World]) -> None:
    world = make_model(5, champions=2)  # v1 archived, v2 champion
    world.challenge(3)
    world.model("archive", 4).expect(0)
    stages = world.stages()
    assert stages == {1: "Archived", 2: "Production", 3: "Staging", 4: "Archived", 5: "None"}
    refused = {("stage", 2), ("archive", 2), ("validate", 2), ("validate", 1)}
    for command, version in sorted(refused):
        said = world.model(command, version).expect(2).err
        assert "Nothing was changed" in said
        if command != "validate":
            for verb in lifecycle.legal_from(stages[version]):
                assert f"mlflowctl model {verb} {world.name}" in said
    assert world.stages() == stages
    for command, version in (("stage", 3), ("archive", 1), ("archive", 4)):
        assert "Nothing to do" in world.model(command, version).expect(0).out
    for command in ("stage", "archive", "validate", "approve"):
        assert "not found" in world.model(command, 99).expect(2).err.lower() or command == "approve"
    assert "has no challenger to replace" not in world.model("stage", 5, "--replace", 3, "--dry-run").out
    world.assert_in_order()


def test_a_second_challenger_is_refused_with_owner_and_age_unless_the_first_is_named(make_model) -> None:
    world = make_model(3)
    anna = {"MLFLOW_TRACKING_USERNAME": "anna"}
    world.model("stage", 1, env=anna).expect(0)
    said = world.model("stage", 2).expect(2).err
    assert "has a challenger: v1, staged by anna, 0 minutes ago (validation_status pending)" in said
    assert "--replace 1" in said
    assert "is v1, not v3" in world.model("stage", 2, "--replace", 3).expect(5).err
    world.model("stage", 2, "--replace", 1).expect(0)
    assert world.stages() == {1: "Archived", 2: "Staging", 3: "None"}
    world.model("archive", 2).expect(0)
    assert "no challenger to replace" in world.model("stage", 3, "--replace", 2).expect(5).err
    world.assert_in_order()


def test_a_frozen_model_is_not_promoted_until_it_is_thawed_but_may_be_rolled_back(make_model) -> None:
    world = make_model(3, champions=2)
    world.challenge(3)
    assert "wants a reason" in world.model("freeze").expect(2).err
    world.model("freeze", "--reason", "audit week").expect(0)
    assert "Nothing to do" in world.model("freeze", "--reason", "again").expect(0).out
    said = world.model("promote").expect(2).err
    assert "audit week" in said
    assert f"mlflowctl model unfreeze {world.name}" in said
    assert "frozen" in world.model("promote", "--override-gate", "--reason", "now!").expect(2).err
    world.model("rollback", "--no-load-check").expect(0)
    world.assert_one_champion(1)
    world.model("unfreeze", "--reason", "over").expect(0)
    world.stub_validation(3)
    world.model("promote").expect(0)
    world.assert_one_champion(3)
    world.assert_in_order()


def test_retiring_wants_the_name_and_a_reason_and_is_the_only_way_to_no_champion(make_model) -> None:
    world = make_model(2, champions=1)
    for arguments in ((), ("--confirm", "something else")):
        assert f"--confirm {world.name}" in world.model("retire", *arguments).expect(2).err
    assert "wants a reason" in world.model("retire", "--confirm", world.name).expect(2).err
    refused = world.transition(1, "Archived")
    assert refused.status_code == 400
    assert "champion-required" in refused.text
    world.assert_one_champion(1)
    world.model("retire", "--confirm", world.name, "--reason", "replaced by a rule").expect(0)
    assert (world.champion, world.stages()[1]) == (None, "Archived")
    assert "Nothing to do" in world.model("retire", "--confirm", world.name, "--reason", "x").expect(0).out
    world.assert_in_order()
    assert "retired" in world.model("status").expect(0).out
    world.promote(2)
    world.assert_one_champion(2)
    world.assert_in_order()


def test_somebody_else_than_the_proposer_must_approve(make_model: Callable[..., World]) -> None:
    world = make_model(2, champions=0, approvals=0)
    world.promote(1)
    world.write_policy(approvals=2)
    anna, ben, cleo = ({"MLFLOW_TRACKING_USERNAME": name} for name in ("anna", "ben", "cleo"))
    world.model("stage", 2, env=anna).expect(0)
    assert "has not passed a validation" in world.model("approve", 2, env=ben).expect(2).err
    world.stub_validation(2)
    assert "0 of 2 approvals; the proposer (anna) does not count" in world.model("promote").expect(2).err
    assert "somebody else must approve" in world.model("approve", 2, env=anna).expect(2).err
    world.model("approve", 2, "--reason", "looks good", env=ben).expect(0)
    world.model("approve", 2, env=ben).expect(0)
    assert "1 of 2 approvals" in world.model("promote").expect(2).err
    world.model("approve", 2, env=cleo).expect(0)
    world.stub_validation(2)  # new evidence: the approvals were for the old one
    assert "0 of 2 approvals" in world.model("promote").expect(2).err
    world.model("approve", 2, env=ben).expect(0)
    world.model("approve", 2, env=cleo).expect(0)
    world.model("promote", env=anna).expect(0)
    done = world.entries()[-1]
    assert (done["actor"]["name"], done["actor"]["kind"]) == ("anna", "mlflow")
    world.assert_one_champion(2)
    world.assert_in_order()


@pytest.mark.parametrize(
    ("verdict", "code", "says"),
    [
        (Verdict.FAIL, 3, "failed its validation"),
        (Verdict.INCONCLUSIVE, 4, "is inconclusive"),
        (None, 2, "not validated"),
    ],
)
def test_without_a_pass_only_an_override_promotes_and_the_ledger_keeps_it(
    make_model, verdict, code, says
) -> None:
    world = make_model(2, champions=1)
    world.stage(2)
    if verdict:
        world.stub_validation(2, verdict)
    said = world.model("promote").expect(code).err
    assert says in said
    assert "Nothing was changed" in said
    world.assert_one_champion(1)
    assert "wants a reason" in world.model("promote", "--override-gate").expect(2).err
    said = world.model("promote", "--override-gate", "--reason", "the board wants it").expect(0).err
    assert "WARNING: the gates are overridden" in said
    world.assert_one_champion(2)
    assert "GATE OVERRIDDEN" in world.model("history").expect(0).out
    done = world.entries()[-1]
    assert (done["body"]["override"], done["reason"]) == (True, "the board wants it")
    world.assert_in_order()


def test_evidence_about_another_champion_or_policy_is_no_evidence(make_model: Callable[..., World]) -> None:
    world = make_model(3, champions=2)
    world.challenge(3)
    world.model("rollback", "--no-load-check").expect(0)
    said = world.model("promote").expect(5).err
    assert "was validated against champion v2; the champion is v1" in said
    world.stub_validation(3)
    world.write_policy(alpha=0.01)
    assert "under another policy" in world.model("promote").expect(5).err
    world.assert_one_champion(1)


def test_a_version_of_plain_mlflow_is_adopted_on_first_touch(make_model: Callable[..., World]) -> None:
    world = make_model(2)  # by the call that mlflow.register_model makes
    assert world.tag(1, "mlflowctl.digest") is None
    world.model("register", "--adopt", 1, "--reason", "found it").expect(0)
    assert "Nothing to do" in world.model("register", "--adopt", 1).expect(0).out
    assert world.tag(1) == "pending"
    world.stage(2)
    assert len(world.tag(2, "mlflowctl.digest")) == 64
    registered = [one for one in world.entries() if one["kind"] == "registered"]
    assert [(one["body"]["version"], one["body"]["adopted"]) for one in registered] == [(1, True), (2, True)]
    world.assert_in_order()


def test_register_records_every_artifact_and_stages_only_where_the_policy_says_so(make_model) -> None:
    world = make_model()
    done = world.model("register", world.source, "--reason", "nightly", "--json").expect(0).json["result"]
    assert (done["version"], done["stage"], done["validation_status"]) == (1, "None", "pending")
    (entry,) = world.entries()
    assert "MLmodel" in entry["body"]["files"]
    assert entry["body"]["run_id"]
    world.write_policy(auto_stage="true")
    done = world.model("register", world.source, "--json").expect(0).json["result"]
    assert (done["stage"], done["note"]) == ("Staging", "")
    done = world.model("register", world.source, "--json").expect(0).json["result"]
    assert (done["stage"], done["note"]) == ("None", "Not staged: v2 is the challenger.")
    world.model("archive", 2).expect(0)
    world.policy_file.write_text(
        world.policy_file.read_text().replace("superior}", "superior, threshold: 0.9}")
    )
    done = world.model("register", world.source, "--json").expect(0).json["result"]
    assert done["stage"] == "None"
    assert "its run has no metric 'roc_auc'" in done["note"]
    for wrong in ("nonsense", "runs:/0123456789abcdef0123456789abcdef/model", "models:/m-0"):
        world.model("register", wrong).expect(2)
    world.assert_in_order()


@pytest.mark.parametrize(
    "name",
    ["two words", 'it\'s "quoted"', "größe-模型-🚀", "$(touch x); `id` & | > <", "%2F..%00", "a,b=c#d?e"],
)
def test_a_name_that_mlflow_allows_works_everywhere(make_model: Callable[..., World], name: str) -> None:
    from promotion_world import unique

    world = make_model(2, name=unique(name), champions=2)
    world.model("rollback", "--no-load-check").expect(0)
    world.model("status").expect(0)
    world.model("history").expect(0)
    assert world.model("champion").expect(0).out.strip() == "1"
    world.model("retire", "--confirm", world.name, "--reason", "x").expect(0)
    world.assert_in_order()
    from mlflowctl.registry import ledger

    assert world.name in ledger.models(world.desk.objects)


@pytest.mark.parametrize("name", ["with/slash", "with:colon", "", "   "])
def test_a_name_that_mlflow_refuses_is_refused_with_its_words(
    make_model: Callable[..., World], name: str
) -> None:
    world = make_model()
    refused = world.run("model", "register", name, world.source, "--policy", "none.yaml").expect(2)
    assert "Nothing was changed" in refused.err
