"""What an apply does before Terraform: a snapshot of the database where a new image may migrate it.

MLflow's server wants exactly its own schema, and there is no way back from a migration but a snapshot.
Whether an image brings a migration cannot be seen from outside, so any change of the image counts.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from mlflowctl.cloud import published, rds
from mlflowctl.cloud.published import Published
from mlflowctl.cloud.workbench import Plan
from mlflowctl.plan import Action, Step

UNCHANGED = "Terraform changed nothing; a snapshot that was begun goes on."


@dataclass(frozen=True)
class Snapshot(Step):
    """A snapshot to take.

    Attributes:
        identifier: its name.
        database: identifier of the instance.
        region: where.
    """

    identifier: str = ""
    database: str = ""
    region: str = ""


def plan(change: Plan) -> list[Step]:
    """The steps before Terraform's own; reads only."""
    if change.image is None:
        return []
    old, new = change.image
    why = f"before the image changes: {old} → {new}; an older image cannot read a migrated database"
    found = published.find(change.environment.name, change.environment.region)
    if found is None or not found.database:
        return [Step(Action.ATTENTION, "snapshot", f"take one of your database yourself, {why}")]
    return [_snapshot(found, why)]


def _snapshot(found: Published, why: str) -> Snapshot:
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{found.database}-before-{moment}"
    return Snapshot(Action.CREATE, f"snapshot {name}", why, name, found.database, found.region)


def execute(steps: list[Step], say: Callable[[str], None]) -> None:
    """Take the snapshots, and wait until they can be restored.

    Raises:
        AccessError: a right is missing; nothing was changed.
        MlflowctlError: RDS could not take one; Terraform was not started.
    """
    for step in steps:
        if isinstance(step, Snapshot):
            say(f"  taking snapshot {step.identifier} (minutes, by the size of the database)")
            rds.take_snapshot(step.region, step.database, step.identifier, UNCHANGED)
