"""A command of mlflowctl in the VPC: the request, the answer in the log, and doctor's checks made there.

ECS starts nothing here: the request is compared, its answers are played back.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.cloud.samples import KEYS

from mlflowctl.cloud import environments, inside, task
from mlflowctl.cloud.published import Published
from mlflowctl.doctor import checkup
from mlflowctl.errors import AccessError, ConflictError, MlflowctlError, UnavailableError


def test_a_command_in_the_vpc_is_one_task_of_the_servers_image_network_and_role(prod: Published):
    assert task.request(prod, ["bootstrap", "--json"], "ana") == {
        "cluster": "mlflow-prod",
        "taskDefinition": prod.command_task,
        "launchType": "FARGATE",
        "count": 1,
        "startedBy": "ana",
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "DISABLED",
            }
        },
        "overrides": {"containerOverrides": [{"name": "mlflowctl", "command": ["bootstrap", "--json"]}]},
    }


class Ecs:
    """ECS as the task runner meets it: the request is kept, the answers are given."""

    def __init__(self, started: dict[str, Any], states: list[str], container: dict[str, Any]) -> None:
        self.started, self.states, self.container = started, iter(states), container
        self.asked: dict[str, Any] = {}
        self.printed = ["Target: context container", "  unchanged  schema", "Nothing to do."]

    def run_task(self, **request: Any) -> dict[str, Any]:
        self.asked = request
        return self.started

    def describe_tasks(self, **_: Any) -> dict[str, Any]:
        task = {"taskArn": "arn:aws:ecs:r:1:task/c/77", "lastStatus": next(self.states)}
        return {"tasks": [task | {"containers": [{"name": "mlflowctl", **self.container}]}]}

    def get_log_events(self, **asked: Any) -> dict[str, Any]:
        """Two lines a page; the last page's token leads to itself, as CloudWatch's does."""
        assert asked["logStreamName"] == "task/mlflowctl/77"
        at = int(asked.get("nextToken", 0))
        page = self.printed[at : at + 2]
        return {"events": [{"message": line} for line in page], "nextForwardToken": str(at + len(page))}


STARTED = {"tasks": [{"taskArn": "arn:aws:ecs:r:1:task/c/77"}], "failures": []}


def test_a_task_is_followed_to_its_end(prod: Published, monkeypatch: pytest.MonkeyPatch):
    ecs = Ecs(STARTED, ["PENDING", "RUNNING", "RUNNING", "STOPPED"], {"exitCode": 6})
    monkeypatch.setattr(task.aws, "client", lambda service, region: ecs)
    said: list[str] = []
    ended = task.run(prod, ["bootstrap"], said.append, poll=0)
    assert (ended.code, ended.lines) == (6, tuple(ecs.printed))
    assert ecs.asked == task.request(prod, ["bootstrap"])
    assert [line.strip() for line in said[1:]] == ["pending", "running", "stopped"]


def test_a_task_that_finds_no_place_says_why(prod: Published, monkeypatch: pytest.MonkeyPatch):
    ecs = Ecs({"tasks": [], "failures": [{"reason": "RESOURCE:FARGATE"}]}, [], {})
    monkeypatch.setattr(task.aws, "client", lambda service, region: ecs)
    with pytest.raises(UnavailableError, match="RESOURCE:FARGATE"):
        task.run(prod, ["bootstrap"], print, poll=0)


def in_the_vpc(monkeypatch: pytest.MonkeyPatch, printed: list[str], code: int | None) -> Ecs:
    ecs = Ecs(STARTED, ["STOPPED"] * 9, {} if code is None else {"exitCode": code})
    ecs.printed = printed
    monkeypatch.setattr(task.aws, "client", lambda service, region: ecs)
    monkeypatch.setattr(task.time, "sleep", lambda _: None)
    return ecs


def answer(result: Any, error: dict[str, str] | None = None) -> list[str]:
    """What a command with --json prints, with progress before it, as lines of a log."""
    body = {"schema": "mlflowctl.doctor/1", "ok": error is None, "result": result, "error": error}
    return ["Examining context container", *json.dumps(body, indent=2).splitlines()]


def test_the_answer_of_a_command_in_the_vpc_is_found_among_its_progress(prod: Published, monkeypatch):
    ecs = in_the_vpc(monkeypatch, [*answer({"created": 0}), "a last word"], 0)
    assert inside.run(prod, ["bootstrap", "--json"], lambda _: None) == {"created": 0}
    assert ecs.asked["overrides"]["containerOverrides"][0]["command"] == ["bootstrap", "--json"]


def test_its_error_is_the_one_that_it_had_there(prod: Published, monkeypatch):
    found = {
        "code": "conflict",
        "message": "The lease is held.",
        "state": "Nothing was changed.",
        "next": "Wait.",
    }
    in_the_vpc(monkeypatch, answer(None, found), 5)
    with pytest.raises(ConflictError) as conflict:
        inside.run(prod, ["bootstrap"], lambda _: None)
    assert conflict.value.as_dict() == found


@pytest.mark.parametrize("printed", [[], ["Killed"], answer({"a": 1})[:-2]])
def test_without_an_answer_its_log_is_named(prod: Published, monkeypatch, printed: list[str]):
    in_the_vpc(monkeypatch, printed, None)
    with pytest.raises(MlflowctlError, match=r"gave no answer \(it never ran") as silent:
        inside.run(prod, ["doctor"], lambda _: None)
    assert silent.value.next.startswith(f"aws logs tail {prod.command_logs} --region {prod.region}")


def test_doctor_makes_the_checks_of_the_database_in_the_vpc(prod: Published, monkeypatch):
    rows = [
        {"name": one.name, "title": one.title, "verdict": "ok", "what": "seen in there", "next": ""}
        for one in checkup.WITHIN
    ]
    wrong = {"code": "findings", "message": "1 of 19 checks failed", "state": "", "next": ""}
    rows[0] |= {"verdict": "failed", "what": "does not answer"}
    context = environments.context("prod", KEYS)
    assert context is not None
    ecs = in_the_vpc(monkeypatch, answer({"checks": rows}, wrong), 6)
    results = {one.name: one for one in checkup.examine(context, lambda _: None, checkup.WITHIN)}
    assert results["database"].what == "does not answer"
    assert {one.what for name, one in results.items() if name != "database"} == {"seen in there"}
    assert ecs.asked["overrides"]["containerOverrides"][0]["command"] == ["doctor", "--json"]
    assert not set(checkup.OF_EMBEDDED) & set(checkup.checks_for(context))


def test_whoever_may_not_start_tasks_is_told_so_and_nothing_fails_for_it(prod: Published, monkeypatch):
    def refuse(*_: Any) -> Any:
        raise AccessError("Could not start a task: this needs ecs:RunTask.")

    context = environments.context("prod", KEYS)
    assert context is not None
    monkeypatch.setattr(inside.task, "run", refuse)
    results = checkup.examine(context, lambda _: None, checkup.WITHIN)
    assert {one.verdict for one in results} == {"skipped"}
    assert results[0].what.startswith("only a task in the VPC reaches the database: Could not start a task")
