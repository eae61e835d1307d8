"""Bootstrap: what the database and the object store must have before a registry may be trusted.

Composes the plans of its parts; a part that cannot be looked at yet (the database does not exist) is
planned as if it were empty. Everything here may run twice at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from mlflowctl.database import drift, guard, roles, schema
from mlflowctl.database.connect import Database, MissingDatabaseError, admin
from mlflowctl.database.manifest import Level
from mlflowctl.errors import UsageError
from mlflowctl.login import accounts
from mlflowctl.plan import Action, Step
from mlflowctl.settings import Context, Login
from mlflowctl.storage import buckets

Report = Callable[[Step], None]
LEVELS: dict[str, Level] = {"exactly-one": "exactly-one", "at-most-one": "at-most-one"}


@dataclass(frozen=True)
class BootstrapOptions:
    """How far bootstrap may go.

    Attributes:
        mend: repair duplicates and drift in the registry (never done unattended).
        level: the guard's level; None keeps the installed one.
        several_challengers: whether a model may have several versions in Staging; None keeps it.
    """

    mend: bool = False
    level: Level | None = None
    several_challengers: bool | None = None


def plan(context: Context, options: BootstrapOptions | None = None) -> list[Step]:
    """Everything bootstrap would find or do on the context; reads only.

    Raises:
        UsageError: the context gives no access to a database and names no buckets.
        UnavailableError, AccessError: something does not answer, or refuses.
    """
    options = options or BootstrapOptions()
    if context.database is None and context.s3 is None:
        raise UsageError(
            f"Bootstrap needs the database or the object store of {context.describe()}; it knows neither.",
            state="Nothing was changed.",
            next="Name a context that does: mlflowctl --context local bootstrap",
        )
    steps: list[Step] = []
    if context.database:
        steps += plan_database(context.database, options, context.login, context.serving_login)
    if context.s3:
        steps += buckets.plan(context.s3) if context.s3.owned else buckets.report(context.s3)
    return steps


def plan_database(
    database: Database, options: BootstrapOptions, login: Login | None = None, serving: Login | None = None
) -> list[Step]:
    """The database's part of the plan; reads only.

    Args:
        database: where.
        options: how far bootstrap may go.
        login: the first administrator where the server asks for a login; None where it does not.
        serving: the reader as whom model servers log in, where bootstrap keeps one.
    """
    steps = roles.plan(database)
    try:
        steps += schema.plan(database)
    except MissingDatabaseError:
        steps += [*schema.planned_for_missing_database(), *guard.planned_for_empty(_wanted(options))]
        return [*steps, *(accounts.planned_for_empty(login, serving) if login else [])]
    steps += _plan_registry(database, options)
    return [*steps, *(accounts.plan(database, login, serving) if login else [])]


def _plan_registry(database: Database, options: BootstrapOptions) -> list[Step]:
    """Drift and guard."""
    with admin(database) as connection:
        if schema.current_revision(connection) is None:
            return guard.planned_for_empty(_wanted(options))
        settings = _wanted(options, guard.inspect(connection).settings)
        return [
            *drift.plan(connection, settings, mend=options.mend),
            *guard.plan(connection, settings, mend=options.mend),
        ]


def _wanted(options: BootstrapOptions, installed: guard.GuardSettings | None = None) -> guard.GuardSettings:
    """What was asked for, else what stands, else the defaults."""
    settings = installed or guard.GuardSettings()
    if options.level is not None:
        settings = replace(settings, level=options.level)
    if options.several_challengers is not None:
        settings = replace(settings, several_challengers=options.several_challengers)
    return settings


def mends(step: Step) -> bool:
    """True if the step changes which versions serve."""
    return isinstance(step, drift.DriftStep) and step.effective


def execute(steps: list[Step], context: Context, report: Report) -> list[Step]:
    """Carry out a plan, reporting each step's outcome as it is known.

    Returns:
        The outcomes, in the order of the plan.
    """
    outcomes = []
    for step in steps:
        outcome = _execute_one(step, context) if step.effective else step
        outcomes.append(outcome)
        report(outcome)
    return outcomes


def _execute_one(step: Step, context: Context) -> Step:
    if isinstance(step, buckets.BucketStep):
        assert context.s3 is not None
        return buckets.apply(step, context.s3)
    assert context.database is not None
    return execute_database_step(step, context.database)


def execute_database_step(step: Step, database: Database) -> Step:
    """Carry out one step of :func:`plan_database`."""
    if isinstance(step, roles.RoleStep | roles.DatabaseStep):
        roles.apply(step, database)
        return step
    if isinstance(step, accounts.LoginStep):
        accounts.apply(step, database)
        return step
    with admin(database) as connection:
        if isinstance(step, schema.SchemaStep):
            with guard.migration(connection):
                schema.upgrade(database, options=guard.MIGRATION_OPTIONS)
        elif isinstance(step, drift.DriftStep):
            drift.apply(step, connection)
        else:
            guard.apply(step, connection)
    return step


def attention(steps: list[Step]) -> Iterator[Step]:
    """Steps that a person has to decide here. What is wrong with Terraform's buckets fails doctor only."""
    return (step for step in steps if step.action is Action.ATTENTION and not _theirs(step))


def _theirs(step: Step) -> bool:
    return isinstance(step, buckets.BucketStep) and step.theirs
