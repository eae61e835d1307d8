"""The few calls to RDS that restore, destroy and the snapshot before an upgrade share."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from mlflowctl.cloud import aws


def database(region: str, name: str) -> dict[str, Any] | None:
    """How RDS describes an instance; None if there is none of that name."""
    with aws.errors(f"look at the database {name}", region, "rds:DescribeDBInstances"):
        try:
            answer = aws.client("rds", region).describe_db_instances(DBInstanceIdentifier=name)
        except ClientError as exc:
            if aws.missing(exc):
                return None
            raise
    found: dict[str, Any] = answer["DBInstances"][0]
    return found


def snapshot_exists(region: str, name: str) -> bool:
    """Whether a snapshot of that name exists."""
    with aws.errors(f"look for the snapshot {name}", region, "rds:DescribeDBSnapshots"):
        try:
            answer = aws.client("rds", region).describe_db_snapshots(DBSnapshotIdentifier=name)
        except ClientError as exc:
            if aws.missing(exc):
                return False
            raise
    return bool(answer["DBSnapshots"])


def take_snapshot(region: str, database: str, name: str, state: str) -> None:
    """Take a snapshot, and wait until it can be restored.

    Args:
        region: where.
        database: identifier of the instance.
        name: of the snapshot.
        state: what state things are in if this fails.
    """
    with aws.errors(f"take the snapshot {name}", region, "rds:CreateDBSnapshot", state):
        rds = aws.client("rds", region)
        rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=database)
        rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier=name)
