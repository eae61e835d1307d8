"""A command of mlflowctl inside the VPC, where the database can be reached: one ECS task that ends by itself.

modules/tracking-server makes a task definition for it, of the server's image, network and role, whose one
essential container holds the admin's secrets; only its command is overridden here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlflowctl.cloud import aws
from mlflowctl.cloud.published import Published
from mlflowctl.errors import MlflowctlError, UnavailableError

CONTAINER = "mlflowctl"
POLL_SECONDS = 3.0
LOOKS = 6  # at a log whose last lines are still on their way
MAX_SECONDS = 3600.0


@dataclass(frozen=True)
class Ended:
    """How a task ended.

    Attributes:
        code: exit code of the command; None if its container never ran.
        reason: what ECS says about the end.
        lines: what the command printed, progress and result.
    """

    code: int | None
    reason: str
    lines: tuple[str, ...] = ()


def request(found: Published, command: Sequence[str], reason: str = "mlflowctl") -> dict[str, Any]:
    """The ``run_task`` request for a command.

    Args:
        found: the environment.
        command: the arguments of mlflowctl: ["bootstrap", "--json"].
        reason: stands in the task's ``startedBy``.
    """
    return {
        "cluster": found.cluster,
        "taskDefinition": found.command_task,
        "launchType": "FARGATE",
        "count": 1,
        "startedBy": reason[:36],
        "propagateTags": "TASK_DEFINITION",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": list(found.subnets),
                "securityGroups": [found.security_group],
                "assignPublicIp": "DISABLED",
            }
        },
        "overrides": {
            "containerOverrides": [{"name": CONTAINER, "command": list(command)}],
        },
    }


def run(
    found: Published,
    command: Sequence[str],
    say: Callable[[str], None],
    *,
    poll: float = POLL_SECONDS,
    timeout: float = MAX_SECONDS,
) -> Ended:
    """Run a command of mlflowctl in the environment and wait for its end.

    Raises:
        AccessError: these credentials may not run tasks there.
        UnavailableError: the task could not be placed, or did not end in time.
    """
    arn = _start(found, command)
    say(f"  task {arn.rsplit('/', 1)[-1]} in cluster {found.cluster}: mlflowctl {' '.join(command)}")
    deadline, shown = time.monotonic() + timeout, ""
    while True:
        task = _describe(found, arn)
        if task["lastStatus"] != shown:
            shown = str(task["lastStatus"])
            say(f"  {shown.lower()}")
        if shown == "STOPPED":
            return _ended(found, task, poll)
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"The task {arn} did not end within {timeout:.0f} s.",
                state="It goes on running.",
                next=f"aws ecs describe-tasks --cluster {found.cluster} --tasks {arn}",
            )
        time.sleep(poll)


def _start(found: Published, command: Sequence[str]) -> str:
    with aws.errors("start a task", found.region, "ecs:RunTask and iam:PassRole"):
        answer = aws.client("ecs", found.region).run_task(**request(found, command))
    if not answer["tasks"]:
        why = "; ".join(str(one.get("reason")) for one in answer.get("failures", [])) or "no reason given"
        raise UnavailableError(
            f"ECS did not start the task in {found.cluster}: {why}.",
            state="Nothing was changed.",
            next=f"mlflowctl cloud status --context {found.environment}",
        )
    return str(answer["tasks"][0]["taskArn"])


def _describe(found: Published, arn: str) -> dict[str, Any]:
    with aws.errors("look at the task", found.region, "ecs:DescribeTasks", state="The task goes on."):
        answer = aws.client("ecs", found.region).describe_tasks(cluster=found.cluster, tasks=[arn])
    if not answer["tasks"]:
        raise MlflowctlError(f"ECS forgot the task {arn}.", next=f"See the log group {found.command_logs}")
    task: dict[str, Any] = answer["tasks"][0]
    return task


def _ended(found: Published, task: dict[str, Any], poll: float) -> Ended:
    containers = {one["name"]: one for one in task.get("containers", [])}
    container = containers.get(CONTAINER, {})
    lines = _printed(found, str(task["taskArn"]).rsplit("/", 1)[-1], poll)
    reason = container.get("reason") or task.get("stoppedReason") or ""
    return Ended(container.get("exitCode"), str(reason), lines)


def _printed(found: Published, task_id: str, poll: float) -> tuple[str, ...]:
    """What the command printed; () if that cannot be read, which must not hide how it ended.

    Lines reach the log some seconds after the task has stopped, so the end is waited for.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    lines: tuple[str, ...] = ()
    for _ in range(LOOKS):
        try:
            now = _log(found, f"task/{CONTAINER}/{task_id}")
        except (BotoCoreError, ClientError):
            return lines
        if now and now == lines:
            return now
        lines = now
        time.sleep(poll)
    return lines


def _log(found: Published, stream: str) -> tuple[str, ...]:
    """All lines of a stream. The last page is the one whose token leads to itself."""
    logs, lines, token = aws.client("logs", found.region), [], ""
    while True:
        where = {"logGroupName": found.command_logs, "logStreamName": stream, "startFromHead": True}
        page = logs.get_log_events(**where, **({"nextToken": token} if token else {}))
        lines += [str(event["message"]) for event in page["events"]]
        if page["nextForwardToken"] == token:
            return tuple(lines)
        token = page["nextForwardToken"]
