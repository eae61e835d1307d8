"""Putting a set back: checked as a whole first, the old data serving until the new one is complete.

The database is restored beside the one that serves, and takes its place by a rename. New objects are sent
before that; what would take something away from the old data comes after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mlflowctl.backup import check, present, swap
from mlflowctl.backup.check import BackupSet
from mlflowctl.backup.make import ORDER, complete
from mlflowctl.backup.manifest import NewerSetError
from mlflowctl.backup.progress import Tell
from mlflowctl.backup.putting import Bucket, Difference
from mlflowctl.backup.serving import Server
from mlflowctl.database import schema
from mlflowctl.errors import MlflowctlError, UsageError
from mlflowctl.plan import Action, Step
from mlflowctl.settings import Context


@dataclass(frozen=True)
class RestoreStep(Step):
    """Part of a restore: the database (role ""), or one kind of change to one bucket."""

    role: str = ""


@dataclass(frozen=True)
class Plan:
    """A restore that could be carried out.

    Attributes:
        found: the set, all of which was read and is whole.
        steps: what would happen.
        loses: what the stack holds now and would not afterwards, in words; nothing for an empty stack.
        buckets: by role, compared; empty if the objects stay as they are.
    """

    found: BackupSet
    steps: list[Step]
    loses: list[str]
    buckets: dict[str, tuple[Bucket, Difference]] = field(repr=False)


@dataclass
class Restored:
    """A restore that was carried out.

    Attributes:
        found: the set.
        bootstrapped: what bootstrap did to the restored database.
        objects: sent to the buckets.
        removed: from the buckets.
        notes: what could not be done as it should have been, in words.
        serving: whether the server answers again; False where somebody else starts it.
    """

    found: BackupSet
    bootstrapped: list[Step]
    objects: int = 0
    removed: int = 0
    notes: list[str] = field(default_factory=list)
    serving: bool = False

    def as_dict(self) -> dict[str, Any]:
        header = self.found.header
        return {
            "place": self.found.place.name,
            "set": self.found.name,
            "at": header.at,
            "rows": sum(header.database["rows"].values()),
            "objects_sent": self.objects,
            "objects_removed": self.removed,
            "bootstrap": [step.as_dict() for step in self.bootstrapped if step.effective],
            "notes": self.notes,
            "serving": self.serving,
        }


def plan(
    context: Context, found: BackupSet, tell: Tell, *, database_only: bool = False, checked: bool = False
) -> Plan:
    """Check the whole set, and compare it with what is there; reads only.

    Args:
        context: the stack.
        found: the set.
        tell: progress.
        database_only: leave the objects as they are.
        checked: the set was checked by the caller.

    Raises:
        DamagedSetError: something of the set is missing or changed.
        NewerSetError: its schema is one that the installed MLflow does not know.
        UsageError: the context lacks something, or the roles of its database are others.
        UnavailableError, AccessError: something does not answer, or refuses.
    """
    complete(context, "A restore")
    assert context.database is not None
    assert context.s3 is not None
    _refuse_newer_schema(found)
    _refuse_other_roles(context, found)
    loses = present.rows_to_lose(context.database)
    if not checked:
        tell("Checking the set")
        check.refuse(found, check.problems(found, tell, objects=not database_only))
    steps: list[Step] = [_database_step(context, found, replaces=bool(loses))]
    buckets: dict[str, tuple[Bucket, Difference]] = {}
    for role in () if database_only else ORDER:
        bucket = Bucket(context.s3, role, found)
        difference = bucket.compare()
        buckets[role] = (bucket, difference)
        steps += _bucket_steps(bucket.name, difference)
        loses += present.objects_to_lose(difference, bucket.name)
    return Plan(found, steps, loses, buckets)


def _refuse_newer_schema(found: BackupSet) -> None:
    revision = found.header.revision
    if revision is not None and not schema.knows(revision):
        raise NewerSetError(
            f"{found} has MLflow's schema {revision}, made by MLflow {found.header.releases['mlflow']}, "
            "which the installed MLflow does not know.",
            state="Nothing was changed.",
            next=f"Install the release that made it: mlflowctl {found.header.releases['mlflowctl']}",
        )


def _refuse_other_roles(context: Context, found: BackupSet) -> None:
    assert context.database is not None
    here = {"app": context.database.app_role, "admin": context.database.admin_role}
    if found.header.database["roles"] != here:
        raise UsageError(
            f"{found} belongs to the database roles {found.header.database['roles']}; this stack has {here}.",
            state="Nothing was changed.",
            next="Restore it into a stack with these role names.",
        )


def _database_step(context: Context, found: BackupSet, *, replaces: bool) -> Step:
    assert context.database is not None
    rows, head = found.header.database["rows"], schema.head_revision()
    detail = f"as of {found.header.at}: {sum(rows.values()):,} rows in {len(rows)} tables"
    if found.header.revision not in (None, head):
        detail += f"; schema {found.header.revision} → {head}"
    action = Action.CHANGE if replaces else Action.CREATE
    return RestoreStep(action, f"database {context.database.name}", detail)


def _bucket_steps(name: str, found: Difference) -> list[Step]:
    kinds = (
        (Action.CREATE, len(found.missing), "that are missing"),
        (Action.CHANGE, len(found.other), "that are another"),
        (Action.REMOVE, len(found.extra), "that the set does not have (it never has leases)"),
        (Action.UNCHANGED, found.same, ""),
    )
    return [
        RestoreStep(action, f"bucket {name}: {count:,} objects", text, found.role)
        for action, count, text in kinds
        if count
    ]


def execute(wanted: Plan, context: Context, server: Server, tell: Tell) -> Restored:
    """Carry out a plan.

    Until the swap the old data serves and is whole; whatever fails before it changes nothing. What fails
    after it is finished by the same restore again.

    Raises:
        ConflictError: the server cannot be stopped from here, or sessions keep coming back.
        MlflowctlError: database or store fail; the message says which data serves.
    """
    assert context.database is not None
    server.look()
    tell("Restoring the database beside the one that serves")
    try:
        swap.fill(context.database, wanted.found)
        done = Restored(wanted.found, swap.prepare(context.database, context.login, context.serving_login))
        if "artifacts" in wanted.buckets:
            bucket, difference = wanted.buckets["artifacts"]
            tell("Sending objects that are missing")
            done.notes += bucket.put(difference.missing, tell)
            done.objects += len(difference.missing)
        with server.closed():
            tell("Switching to the restored database")
            swap.swap(context.database)
            _after(done, wanted, tell)
            swap.drop(context.database, swap.former(context.database))
    except BaseException:
        _tidy(context)
        raise
    done.serving = server.serves()
    return done


def _after(done: Restored, wanted: Plan, tell: Tell) -> None:
    """The rest of the objects, the server being down: compared once more, since it served until now."""
    for role, (bucket, _) in wanted.buckets.items():
        tell(f"Putting bucket {bucket.name} in order")
        with _half_way(f"the {role} bucket"):
            difference = bucket.compare()
            done.notes += bucket.put([*difference.missing, *difference.other], tell)
            kept = bucket.remove(difference.extra, tell)
        done.notes += kept
        done.objects += len(difference.missing) + len(difference.other)
        done.removed += len(difference.extra) - len(kept)


@contextlib.contextmanager
def _half_way(what: str) -> Iterator[None]:
    """Errors after the swap say that the restored database serves, and how to finish."""
    try:
        yield
    except MlflowctlError as exc:
        exc.state = f"The restored database serves; {what} is not in order yet. Nothing is lost."
        exc.next = "The same restore again: it goes on from here."
        raise


def _tidy(context: Context) -> None:
    """After a failure: the database that did not come to serve is not left to fill the disk."""
    assert context.database is not None
    with contextlib.suppress(MlflowctlError):
        swap.drop(context.database, swap.beside(context.database).name)
