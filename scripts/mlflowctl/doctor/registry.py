"""Checks of what bootstrap keeps in order: login, schema, guard, duplicates, aliases, buckets."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlflowctl.database.connect import admin
from mlflowctl.doctor.check import Check, Finding, Skip
from mlflowctl.errors import AccessError
from mlflowctl.plan import Action, Step
from mlflowctl.settings import Context

BOOTSTRAP = "mlflowctl bootstrap"
MEND = "mlflowctl bootstrap --mend   (shows what it would change, and asks)"


def login(context: Context) -> str:
    """The server's login role and its database."""
    from mlflowctl.database import roles

    if context.database is None:
        raise Skip("the context has no access to the database")
    return _nothing_to_do(roles.plan(context.database), BOOTSTRAP)


def schema(context: Context) -> str:
    """The schema revision is the one that the installed MLflow needs."""
    from mlflowctl.database import schema as database_schema

    assert context.database is not None
    steps = database_schema.plan(context.database)
    _nothing_to_do(steps, BOOTSTRAP)
    return steps[0].detail


def accounts(context: Context) -> str:
    """Tables, administrator and roles of the server's login."""
    from mlflowctl.login import accounts as login_accounts

    if context.login is None:
        raise Skip("this context logs in nowhere")
    assert context.database is not None
    _nothing_to_do(login_accounts.plan(context.database, context.login, context.serving_login), BOOTSTRAP)
    return f"tables current, {context.login.username} with the password on file, three roles"


def guard(context: Context) -> str:
    """The registry guard stands, word for word as packaged."""
    from mlflowctl.database import guard as registry_guard

    assert context.database is not None
    with admin(context.database) as connection:
        state = registry_guard.inspect(connection)
    if state.condition == "intact":
        return f"version {state.version} intact, {state.settings}"
    if state.version is not None and state.version > registry_guard.VERSION:
        raise Finding(
            f"version {state.version} was installed by a newer mlflowctl; this one knows version "
            f"{registry_guard.VERSION}",
            "python -m pip install --upgrade mlflowctl",
        )
    why = f": {'; '.join(state.differences)}" if state.differences else ""
    raise Finding(f"the guard is {state.condition}{why}", BOOTSTRAP)


def _drift(*kinds: str) -> Callable[[Context], str]:
    def check(context: Context) -> str:
        from mlflowctl.database import drift
        from mlflowctl.database import guard as registry_guard

        assert context.database is not None
        with admin(context.database) as connection:
            settings = registry_guard.inspect(connection).settings or registry_guard.DEFAULTS
            found = [one for one in drift.find(connection, settings) if one.kind in kinds]
        if found:
            raise Finding("; ".join(str(one) for one in found), MEND)
        return "none"

    return check


def buckets(context: Context) -> str:
    """Both buckets are as bootstrap (or Terraform) sets them up."""
    from mlflowctl.login import people
    from mlflowctl.login.roles import Level
    from mlflowctl.storage import buckets as storage

    assert context.s3 is not None
    try:
        steps = storage.check(context.s3)
    except AccessError:
        if context.login is None or people.own_level(context) is Level.ADMIN:
            raise
        raise Skip("the keys of this user may not look at the settings") from None
    return _nothing_to_do(steps, BOOTSTRAP if context.s3.owned else "mlflowctl cloud plan")


def _nothing_to_do(steps: Iterable[Step], mends: str) -> str:
    """What stands; raises if a step of the plan would change something or asks for attention."""
    found = list(steps)
    wrong = [step for step in found if step.effective or step.action is Action.ATTENTION]
    if wrong:
        raise Finding("; ".join(_described(step) for step in wrong), mends)
    if len(found) <= 2:
        return ", ".join(step.target for step in found)
    unsupported = sum(step.action is Action.UNSUPPORTED for step in found)
    note = f", {unsupported} not supported here" if unsupported else ""
    return f"{len(found) - unsupported} settings as they should be{note}"


def _described(step: Step) -> str:
    if step.action is Action.CREATE and not step.detail:
        return f"{step.target} does not exist"
    if step.action is Action.CREATE:
        return f"{step.target} is missing ({step.detail})"
    return f"{step.target}: {step.detail}" if step.detail else step.target


LOGIN = Check("login", "database login", login, ("database",))
SCHEMA = Check("schema", "schema revision", schema, ("login",))
ACCOUNTS = Check("accounts", "accounts", accounts, ("schema",))
GUARD = Check("guard", "registry guard", guard, ("schema",))
DUPLICATES = Check(
    "duplicates", "duplicates", _drift("several-champions", "several-challengers"), ("schema",)
)
ALIASES = Check(
    "aliases", "alias drift", _drift("champion-alias", "challenger-alias", "previous-alias"), ("schema",)
)
BUCKETS = Check("buckets", "bucket drift", buckets, ("object-store",))
