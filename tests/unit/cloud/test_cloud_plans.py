"""A plan of Terraform as a person reads it: what changes, what would be lost, and no secrets."""

from __future__ import annotations

from typing import Any

import pytest

from mlflowctl.cli.cloud import common
from mlflowctl.cloud import planned
from mlflowctl.cloud.planned import Change
from mlflowctl.cloud.project import Environment
from mlflowctl.cloud.workbench import Plan
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError
from mlflowctl.plan import Action


def resource(kind: str, actions: list[str], **change: Any) -> dict[str, Any]:
    address = f"module.x.{kind}.this"
    return {"address": address, "type": kind, "mode": "managed", "change": {"actions": actions} | change}


def only(*resources: dict[str, Any]) -> Change:
    (found,) = planned.changes({"resource_changes": list(resources)})
    return found


def test_reading_and_what_stays_as_it_is_are_no_steps():
    quiet = [resource("aws_s3_bucket", ["no-op"]), resource("aws_iam_policy_document", ["read"])]
    assert planned.changes({"resource_changes": quiet}) == []
    assert planned.changes({}) == []


def test_a_change_in_place_says_from_what_to_what():
    found = only(
        resource(
            "aws_appautoscaling_target",
            ["update"],
            before={"max_capacity": 2, "min_capacity": 1, "tags": {"a": "b"}},
            after={"max_capacity": 4, "min_capacity": 1, "tags": {"a": "c"}},
        )
    )
    assert (found.action, found.detail) == (Action.CHANGE, "max_capacity: 2 → 4; tags.a: b → c")
    assert not found.loses


def test_documents_inside_a_value_are_compared_inside():
    before, after = '[{"image": "a:1", "cpu": 1}]', '[{"image": "a:2", "cpu": 1}]'
    found = only(
        resource(
            "aws_ecs_task_definition",
            ["update"],
            before={"container_definitions": before},
            after={"container_definitions": after},
        )
    )
    assert found.detail == "container_definitions.0.image: a:1 → a:2"


@pytest.mark.parametrize(
    "change",
    [
        {
            "before": {"password": "old-secret"},
            "after": {"password": "new-secret"},
            "before_sensitive": {"password": True},
            "after_sensitive": {},
        },
        {
            "before": {"password": "old-secret"},
            "after": {"password": "new-secret"},
            "before_sensitive": {},
            "after_sensitive": {"password": True},
        },
        {"before": {"password": "old-secret"}, "after": {"password": "new-secret"}, "after_sensitive": True},
    ],
)
def test_what_terraform_calls_sensitive_is_never_taken_over(change: dict[str, Any]):
    found = only(resource("aws_x", ["update"], **change))
    assert "secret" not in found.detail
    assert "(sensitive)" in found.detail


def test_what_is_known_after_apply_only_says_so():
    found = only(resource("aws_x", ["update"], before={"arn": "a"}, after={}, after_unknown={"arn": True}))
    assert found.detail == "arn: a → (known after apply)"


@pytest.mark.parametrize("actions", [["delete", "create"], ["create", "delete"], ["delete"]])
@pytest.mark.parametrize("kind", sorted(planned.STATEFUL))
def test_losing_something_stateful_is_marked(kind: str, actions: list[str]):
    found = only(resource(kind, actions, replace_paths=[["identifier"]]))
    assert found.loses
    assert found.replaced is ("create" in actions)
    assert planned.losses([found]) == [found]


def test_losing_what_can_be_made_again_is_not():
    found = only(resource("aws_ecs_task_definition", ["delete", "create"], replace_paths=[["cpu"]]))
    assert (found.detail, found.loses) == ("REPLACED because of cpu", "")


def plan_of(*resources: dict[str, Any]) -> Plan:
    from pathlib import Path

    environment = Environment("prod", Path("/nowhere"), {"region": "eu-central-1"})
    return Plan(environment, Path("p"), planned.changes({"resource_changes": list(resources)}))


def test_a_loss_is_shouted_counted_and_wants_the_name(capsys: pytest.CaptureFixture[str]):
    plan = plan_of(
        resource("aws_db_instance", ["delete", "create"], replace_paths=[["engine"]]),
        resource("aws_lb", ["delete"]),
    )
    common.show(Console("cloud.plan"), plan, [])
    out, err = capsys.readouterr()
    assert "REPLACE  module.x.aws_db_instance.this" in out
    assert "0 to create, 0 to change, 1 to replace, 1 to destroy." in out
    assert err == ("!!! REPLACES module.x.aws_db_instance.this: lost would be the registry's database\n")
    for given in (None, "prod", "yes"):
        with pytest.raises(UsageError, match="This plan loses data"):
            common.refuse_losses(plan, given, "mlflowctl cloud apply")
    common.refuse_losses(plan, "mlflow-prod", "mlflowctl cloud apply")
    common.refuse_losses(plan_of(resource("aws_lb", ["delete"])), None, "")


def test_many_creations_are_one_line_for_each_module(capsys: pytest.CaptureFixture[str]):
    many = [resource("aws_subnet", ["create"]) for _ in range(12)] + [resource("aws_vpc", ["create"])]
    common.show(Console("cloud.plan"), plan_of(*many), [])
    out = capsys.readouterr().out
    assert "create  module.x  13: 12 subnet, vpc" in out
    assert "13 to create" in out


def test_a_look_with_exit_code_ends_with_six_if_there_is_something_to_do():
    result = common.planned(plan_of(resource("aws_lb", ["create"])), [])
    assert common.dry(result, exit_code=False, next="") == result
    with pytest.raises(FindingsError) as found:
        common.dry(result, exit_code=True, next="mlflowctl cloud apply --context prod")
    assert (found.value.exit_code, found.value.result) == (6, result)
    assert common.dry(common.planned(plan_of(), []), exit_code=True, next="")["to_do"] == 0
