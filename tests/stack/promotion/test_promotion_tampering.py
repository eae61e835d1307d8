"""Artifacts, ledger, evidence and registry changed behind the tool's back: each is caught, and named."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from promotion_world import World

from mlflowctl.registry import ledger
from mlflowctl.storage.client import client

pytestmark = pytest.mark.stack
ROOT = "mlflow-artifacts:/"


class Bucket:
    """Somebody with the keys of the object store."""

    def __init__(self, world: World) -> None:
        settings = world.desk.context.s3
        self.s3 = client(settings)
        self.world, self.registry, self.artifacts = world, settings.registry_bucket, settings.artifact_bucket

    def key(self, number: int) -> str:
        return ledger.key(self.world.name, number)

    def read(self, number: int) -> bytes:
        return self.s3.get_object(Bucket=self.registry, Key=self.key(number))["Body"].read()

    def write(self, number: int, body: bytes) -> None:
        self.s3.put_object(Bucket=self.registry, Key=self.key(number), Body=body)

    def delete(self, number: int) -> None:
        self.s3.delete_object(Bucket=self.registry, Key=self.key(number))

    def edit(self, number: int, **changed: object) -> None:
        self.write(number, json.dumps(json.loads(self.read(number)) | changed).encode())

    def copy_of_the_model(self) -> str:
        """A copy of the world's artifacts that may be changed, below its run's; the address MLflow knows."""
        rest, model = self.world.desk.registry.rest, self.world.source.removeprefix("models:/")
        run_id = rest.get(f"logged-models/{model}")["model"]["info"]["source_run_id"]
        root = rest.get("runs/get", run_id=run_id)["run"]["info"]["artifact_uri"]
        address = f"{root}/copies/{uuid.uuid4().hex}"
        found = self.s3.list_objects_v2(Bucket=self.artifacts)["Contents"]
        for key in [one["Key"] for one in found if f"models/{model}/" in one["Key"]]:
            target = f"{address.removeprefix(ROOT)}/{key.split('/artifacts/')[1]}"
            source = {"Bucket": self.artifacts, "Key": key}
            self.s3.copy_object(Bucket=self.artifacts, Key=target, CopySource=source)
        return str(address)

    def change(self, address: str, name: str, body: bytes) -> None:
        key = f"{address.removeprefix(ROOT)}/{name}"
        self.s3.put_object(Bucket=self.artifacts, Key=key, Body=body)


@pytest.fixture
def promoted(make_model: Callable[..., World]) -> tuple[World, Bucket]:
    """v1 and v2 were champions, v2 is; v3 is the challenger; about a dozen entries."""
    world = make_model(3, champions=2)
    world.challenge(3)
    return world, Bucket(world)


# Artifacts


@pytest.fixture
def own_artifacts(make_model: Callable[..., World]) -> tuple[World, Bucket, str, str]:
    """v1 was champion, v2 is, v3 is the challenger; v1 and v3 have artifacts of their own."""
    world = make_model()
    bucket, shared = Bucket(world), world.source
    first, third = bucket.copy_of_the_model(), bucket.copy_of_the_model()
    for source in (first, shared, third):
        world.source = source
        world.versions(1)
    world.promote(1, 2)
    world.challenge(3)
    return world, bucket, first, third


def test_a_challenger_whose_artifacts_were_changed_is_not_promoted(own_artifacts) -> None:
    world, bucket, _, third = own_artifacts
    bucket.change(third, "model.skops", b"something else")
    said = world.model("promote").expect(3).err
    assert "model.skops was changed" in said
    assert "Nothing was changed" in said
    bucket.change(third, "payload.py", b"added")
    assert "payload.py was added" in world.model("promote", "--override-gate", "--reason", "x").expect(3).err
    world.assert_one_champion(2)


def test_a_target_whose_artifacts_were_changed_takes_over_only_if_that_is_meant(own_artifacts) -> None:
    world, bucket, first, _ = own_artifacts
    bucket.change(first, "MLmodel", b"flavors: {}")
    said = world.model("rollback", "--no-load-check").expect(3).err
    assert "MLmodel was changed" in said
    assert "v2 serves" in said
    assert "--accept-unloadable --reason" in said
    assert "wants a reason" in world.model("rollback", "--accept-unloadable").expect(2).err
    world.assert_one_champion(2)
    world.model("rollback", "--accept-unloadable", "--reason", "v2 is worse").expect(0)
    world.assert_one_champion(1)
    world.assert_in_order()


def test_a_target_that_does_not_load_takes_over_only_if_that_is_meant(make_model) -> None:
    world = make_model()
    bucket, shared = Bucket(world), world.source
    world.source = bucket.copy_of_the_model()
    bucket.change(world.source, "model.skops", b"garbage from the beginning")
    world.versions(1)
    world.source = shared
    world.versions(1)
    world.promote(1, 2)
    assert "v1 of model" not in world.model("rollback", "--dry-run").expect(0).err
    assert "does not load" in world.model("rollback").expect(3).err
    world.assert_one_champion(2)
    world.model("rollback", "--accept-unloadable", "--reason", "needed").expect(0)
    world.assert_one_champion(1)


def test_a_target_that_loads_is_loaded_before_it_takes_over(make_model: Callable[..., World]) -> None:
    world = make_model(2, champions=2)
    said = world.model("rollback", "--reason", "check").expect(0)
    assert "v1 loads" in said.err
    assert f"{world.name}: v2 → v1" in said.out


# The ledger


def an_edited_entry(bucket: Bucket) -> set[str]:
    bucket.edit(3, reason="nothing happened here")
    return {"edited"}


def an_edited_last_entry(bucket: Bucket) -> set[str]:
    bucket.edit(len(bucket.world.entries()), reason="nothing happened here")
    return {"edited"}


def a_deleted_entry(bucket: Bucket) -> set[str]:
    bucket.delete(4)
    return {"missing"}


def a_cut_tail(bucket: Bucket) -> set[str]:
    last = len(bucket.world.entries())
    for number in (last, last - 1, last - 2):
        bucket.delete(number)
    return {"truncated"}


def two_entries_in_another_order(bucket: Bucket) -> set[str]:
    third, fourth = bucket.read(3), bucket.read(4)
    bucket.write(3, fourth)
    bucket.write(4, third)
    return {"damaged"}


def two_entries_in_another_order_and_renumbered(bucket: Bucket) -> set[str]:
    third, fourth = json.loads(bucket.read(3)), json.loads(bucket.read(4))
    bucket.write(3, json.dumps(fourth | {"number": 3}).encode())
    bucket.write(4, json.dumps(third | {"number": 4}).encode())
    return {"edited", "state"}


def an_inserted_entry(bucket: Bucket) -> set[str]:
    """Everything behind it moves up by one, with its number changed."""
    last = len(bucket.world.entries())
    for number in range(last, 4, -1):
        bucket.write(
            number + 1, json.dumps(json.loads(bucket.read(number)) | {"number": number + 1}).encode()
        )
    bucket.write(5, json.dumps(json.loads(bucket.read(4)) | {"number": 5, "reason": "forged"}).encode())
    return {"edited", "state"}


def an_entry_that_is_no_entry(bucket: Bucket) -> set[str]:
    bucket.write(3, b"not JSON")
    return {"damaged"}


def a_rewritten_chain(bucket: Bucket) -> set[str]:
    """Every hash and state made to fit again: only the witnesses elsewhere know better."""
    import hashlib

    from mlflowctl.registry import ledger_state

    previous, state = ledger.FIRST, ledger_state.empty()
    for number in range(1, len(bucket.world.entries()) + 1):
        raw = json.loads(bucket.read(number))
        raw |= {"previous": previous, "reason": "rewritten"}
        state = ledger_state.fold(state, raw["kind"], number, raw["at"], raw["actor"], raw["body"])
        raw["state"] = state
        body = json.dumps(raw, sort_keys=True, indent=1, ensure_ascii=False).encode()
        bucket.write(number, body)
        previous = hashlib.sha256(body).hexdigest()
    return {"edited"}


FORGERIES = [
    an_edited_entry, an_edited_last_entry, a_deleted_entry, a_cut_tail, two_entries_in_another_order,
    two_entries_in_another_order_and_renumbered, an_inserted_entry, an_entry_that_is_no_entry,
    a_rewritten_chain,
]  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda one: one.__name__)
def test_a_forged_ledger_is_found(promoted, forgery: Callable[[Bucket], set[str]]) -> None:
    world, bucket = promoted
    world.assert_in_order()
    kinds = forgery(bucket)
    done = world.model("audit", "--json").expect(6)
    (audit,) = done.json["result"]["audits"]
    found = {finding["kind"] for finding in audit["findings"]}
    assert found <= kinds | {"phantom"}, audit["findings"]
    assert found & kinds
    assert done.json["error"]["code"] == "findings"


def test_a_promotion_refuses_a_ledger_whose_end_was_cut_off(make_model: Callable[..., World]) -> None:
    world = make_model(3, champions=2)
    world.challenge(3)
    world.model("freeze", "--reason", "x").expect(0)
    world.model("unfreeze", "--reason", "x").expect(0)
    Bucket(world).delete(len(world.entries()))
    for command in ("promote", "rollback"):
        said = world.model(command).expect(5).err
        assert "it ends before entry" in said
        assert f"mlflowctl model audit {world.name}" in said
    world.assert_one_champion(2)


def test_evidence_that_was_changed_or_deleted_is_found_and_not_promoted_on(promoted) -> None:
    world, bucket = promoted
    place = world.state["candidates"]["3"]["evidence"] + "evidence.json"
    body = bucket.s3.get_object(Bucket=bucket.registry, Key=place)["Body"].read()
    bucket.s3.put_object(Bucket=bucket.registry, Key=place, Body=body.replace(b'"pass"', b'"fail"'))
    assert [one.kind for one in world.audit().findings] == ["evidence"]
    bucket.s3.delete_object(Bucket=bucket.registry, Key=place)
    assert "is gone" in world.model("audit").expect(6).out


# The registry


def test_a_champion_set_by_a_plain_client_is_found_refused_and_recorded(promoted) -> None:
    world, _ = promoted
    assert world.transition(1, "Production").ok
    assert "foreign: v1 became champion" in world.model("audit").expect(6).out
    said = world.model("promote").expect(5).err
    assert "The registry was changed behind the ledger" in said
    assert "the champion is v1, the ledger says v2" in said
    assert f"mlflowctl model reconcile {world.name}" in said
    assert world.model("reconcile", "--dry-run", "--exit-code").code == 6
    world.model("reconcile", "--reason", "found in the morning").expect(0)
    world.assert_one_champion(1)
    world.assert_in_order()
    found = [one for one in world.entries() if one["kind"] == "observed"]
    assert found[-1]["reason"] == "found in the morning"


def test_a_champion_set_by_a_plain_client_can_be_undone_by_the_ledger(promoted) -> None:
    world, _ = promoted
    assert world.transition(1, "Production").ok
    world.model("reconcile", "--prefer", "ledger").expect(0)
    world.assert_one_champion(2)
    world.assert_in_order()


def test_a_rollback_does_not_mind_a_champion_set_by_a_plain_client(promoted) -> None:
    """At three in the morning somebody has tried something in the UI; rollback leaves that one."""
    world, _ = promoted
    assert world.transition(1, "Production").ok
    world.model("rollback", "--no-load-check").expect(0)
    world.assert_one_champion(2)
    assert world.tag(1) == "failed"
    world.assert_in_order()


def test_a_champion_that_went_and_came_back_by_itself_is_found_and_acknowledged(promoted) -> None:
    world, _ = promoted
    assert world.transition(1, "Production").ok
    assert world.transition(2, "Production").ok
    assert world.audit().findings
    shown = world.model("reconcile", "--dry-run").expect(0).out
    assert "2 switches by others, over by now" in shown
    world.model("reconcile").expect(0)
    world.assert_one_champion(2)
    world.assert_in_order()


def test_a_foreign_switch_in_the_middle_of_others_takes_one_reconcile(promoted) -> None:
    world, _ = promoted
    assert world.transition(1, "Production").ok
    assert world.transition(2, "Production").ok
    assert world.transition(1, "Production").ok
    world.model("reconcile").expect(0)
    world.assert_one_champion(1)
    world.assert_in_order()


def test_a_challenger_moved_by_a_plain_client_is_recorded(promoted) -> None:
    world, _ = promoted
    assert world.transition(3, "None").ok
    assert "no challenger" in world.model("promote").expect(2).err
    world.model("reconcile").expect(0)
    assert world.state["challenger"] is None
    world.assert_in_order()


def test_a_validation_status_set_by_hand_is_put_right(promoted) -> None:
    world, _ = promoted
    world.model("rollback", "--no-load-check").expect(0)
    world.desk.registry.tag(world.name, 2, "validation_status", "passed")
    assert world.model("reconcile", "--dry-run", "--exit-code").code == 6
    world.model("reconcile").expect(0)
    assert world.tag(2) == "failed"
    world.assert_in_order()
