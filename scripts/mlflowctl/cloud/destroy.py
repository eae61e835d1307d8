"""Looking before an environment is destroyed: what stands in the way, and what would be lost for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlflowctl.cloud import aws, rds
from mlflowctl.cloud.workbench import Plan
from mlflowctl.errors import ConflictError, UsageError
from mlflowctl.plan import Action, Step

_COUNTED = 10_000  # objects and versions of one bucket; beyond that "more than" is exact enough


@dataclass(frozen=True)
class Finding(Step):
    """Something about a resource that is to be destroyed.

    Attributes:
        blocks: True if the destruction would fail, half way through.
        next: what to do about it.
        leaves: what remains of it afterwards.
    """

    blocks: bool = False
    next: str = ""
    leaves: str = ""


def look(plan: Plan, resources: list[dict[str, Any]]) -> list[Finding]:
    """What is to be known before ``plan`` (a plan that destroys) is carried out; reads only.

    Args:
        plan: the plan.
        resources: of the plan's document: the ``resource_changes``.
    """
    region, findings = plan.environment.region, []
    for resource in resources:
        before = resource["change"].get("before") or {}
        if "delete" not in resource["change"]["actions"]:
            continue
        if resource["type"] == "aws_db_instance":
            findings += _database(region, before, plan.environment.name)
        elif resource["type"] == "aws_s3_bucket":
            findings += _bucket(region, before)
        elif resource["type"] == "aws_lb" and before.get("enable_deletion_protection"):
            findings.append(
                Finding(
                    Action.ATTENTION,
                    f"load balancer {before['name']}",
                    "is protected against deletion",
                    True,
                    "Switch its deletion protection off in the environment's file and apply.",
                )
            )
    return findings


def refuse_blocked(findings: list[Finding], name: str, title: str) -> None:
    """Stop before the first resource is gone, if a later one could not go.

    Raises:
        ConflictError: something blocks; the message names everything at once.
    """
    blocked = [one for one in findings if one.blocks]
    if blocked:
        steps = "".join(f"\n    {number}. {one.next}" for number, one in enumerate(blocked, 1))
        raise ConflictError(
            "; ".join(f"{one.target} {one.detail}" for one in blocked) + ".",
            state="Nothing was destroyed.",
            next=f"{steps}\n    then again: mlflowctl cloud destroy --context {name} --confirm {title}",
        )


def refuse_unconfirmed(given: str | None, title: str, name: str) -> None:
    """Destroying wants the name typed.

    Raises:
        UsageError: it was not, or another one was.
    """
    if given != title:
        raise UsageError(
            f"Destroying {title} wants its name typed"
            + (f", and {given!r} is another one." if given else "."),
            state="Nothing was destroyed.",
            next=f"mlflowctl cloud destroy --context {name} --confirm {title}",
        )


def remains(findings: list[Finding]) -> list[str]:
    """What is left in AWS after the destruction, and costs or holds something."""
    return [one.leaves for one in findings if one.leaves]


def _database(region: str, before: dict[str, Any], environment: str) -> list[Finding]:
    identifier = str(before["identifier"])
    what = f"database {identifier}"
    database = rds.database(region, identifier)
    if database is None:
        return []
    findings = []
    if database.get("DeletionProtection"):
        unprotect = (
            f"Write deletion_protection = false into the file of {environment} (prod wants its danger_ flag "
            f"too), then: mlflowctl cloud apply --context {environment}"
        )
        findings.append(Finding(Action.ATTENTION, what, "is protected against deletion", True, unprotect))
    return findings + _last_snapshot(region, before, what)


def _last_snapshot(region: str, before: dict[str, Any], what: str) -> list[Finding]:
    name = before.get("final_snapshot_identifier")
    if before.get("skip_final_snapshot") or not name:
        return [Finding(Action.REMOVE, what, "all its data, WITHOUT a final snapshot")]
    if rds.snapshot_exists(region, str(name)):
        free = f"aws rds delete-db-snapshot --region {region} --db-snapshot-identifier {name}"
        return [
            Finding(Action.ATTENTION, f"snapshot {name}", "exists already; the last one is to be called so",
                    True, f"Copy it if you need it, then: {free}")
        ]  # fmt: skip
    return [
        Finding(
            Action.REMOVE,
            what,
            f"all its data; what remains is the snapshot {name}",
            leaves=f"snapshot {name}; AWS deletes its key in 30 days: to keep it, cancel that deletion",
        )
    ]


def _bucket(region: str, before: dict[str, Any]) -> list[Finding]:
    name = str(before["bucket"])
    objects, versions = count(region, name)
    if not objects and not versions:
        return []
    what = f"{_number(objects)} objects and {_number(versions)} older versions or deletions"
    if before.get("force_destroy"):
        return [Finding(Action.REMOVE, f"bucket {name}", f"{what}, every one")]
    empty = (
        f"Keep what you need from s3://{name}, then let apply allow it to be emptied "
        "(danger_force_destroy = true in the environment's file)."
    )
    return [Finding(Action.ATTENTION, f"bucket {name}", f"holds {what}", True, empty)]


def count(region: str, bucket: str) -> tuple[int, int]:
    """Current objects, and older versions with delete markers; counting ends at ten thousand."""
    from botocore.exceptions import ClientError

    objects = versions = 0
    with aws.errors(f"look into the bucket {bucket}", region, "s3:ListBucketVersions"):
        try:
            for page in (
                aws.client("s3", region).get_paginator("list_object_versions").paginate(Bucket=bucket)
            ):
                current = sum(one["IsLatest"] for one in page.get("Versions", []))
                objects += current
                versions += len(page.get("Versions", [])) - current + len(page.get("DeleteMarkers", []))
                if objects + versions >= _COUNTED:
                    break
        except ClientError as exc:
            if not aws.missing(exc):
                raise
    return objects, versions


def _number(count: int) -> str:
    return f"more than {count}" if count >= _COUNTED else str(count)
