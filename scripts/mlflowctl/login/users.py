"""Adding, changing and removing users: a login on the MLflow server, and an account of the object store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlflowctl.errors import UsageError
from mlflowctl.login.people import People
from mlflowctl.login.roles import Level, Role
from mlflowctl.plan import Action, Step
from mlflowctl.storage.access import Accounts, Keys

if TYPE_CHECKING:
    from mlflowctl.settings import Context

Report = Callable[[Step], None]


@dataclass(frozen=True)
class UserStep(Step):
    """One change of one user.

    Attributes:
        name: of the user.
        role: that the user gets, where it is about that.
        password: that the user gets, where it is about that.
    """

    name: str = ""
    role: Role | None = None
    password: str | None = field(default=None, compare=False, repr=False)


class LoginStep(UserStep):
    """The user of the server."""


class RoleStep(UserStep):
    """The user's role on the server."""


class PasswordStep(UserStep):
    """Another password."""


class AccountStep(UserStep):
    """The user's rights in the object store, and keys if there are none yet."""


class KeysStep(UserStep):
    """Other keys."""


@dataclass
class Desk:
    """Both halves of a context: the server's users and the store's accounts."""

    context: Context
    people: People
    accounts: Accounts | None
    lacking: str  # why there can be no accounts; "" if there can

    @classmethod
    def of(cls, context: Context) -> Desk:
        """Look at both; raises what :class:`People` raises."""
        people = People(context)
        if context.s3 is None:
            return cls(context, people, None, "the context names no object store")
        accounts = Accounts(context.s3)
        return cls(context, people, accounts, accounts.missing())


def plan_add(desk: Desk, name: str, role: Role, password: str) -> list[Step]:
    """What adding a user would do.

    Raises:
        UsageError: there is such a user already.
    """
    if desk.people.find(name) is not None:
        raise UsageError(
            f"There is a user {name!r} already.",
            state="Nothing was changed.",
            next=f"mlflowctl user role {name} --role {role}, or: mlflowctl user password {name} --to FILE",
        )
    return [
        LoginStep(Action.CREATE, f"user {name}", name=name, password=password),
        RoleStep(Action.CREATE, f"role of {name}", str(role), name=name, role=role),
        _account(desk, Action.CREATE, name, role),
    ]


def plan_role(desk: Desk, name: str, role: Role) -> list[Step]:
    """What another role would change: on the server and in the store."""
    found = desk.people.named(name)
    if found.level is Level.ADMIN:
        raise UsageError(
            f"{name!r} is an administrator, who may do everything.",
            state="Nothing was changed.",
            next="mlflowctl user add OTHER --role ROLE",
        )
    same = [one for one in found.roles if one in set(Role)] == [role.value]
    now = " and ".join(one for one in found.roles if one in set(Role)) or "none"
    step = RoleStep(
        Action.UNCHANGED if same else Action.CHANGE,
        f"role of {name}",
        str(role) if same else f"{now} → {role}",
        name=name,
        role=role,
    )
    # The account's rights are written in any case: nothing tells whether somebody changed them.
    return [step, _account(desk, Action.UNCHANGED if same else Action.CHANGE, name, role)]


def _account(desk: Desk, action: Action, name: str, role: Role) -> Step:
    target = f"bucket rights of {name}"
    if desk.lacking:
        return AccountStep(Action.UNSUPPORTED, target, desk.lacking, name=name, role=role)
    return AccountStep(action, target, f"those of a {role}", name=name, role=role)


def plan_password(desk: Desk, name: str, password: str) -> list[Step]:
    """Another password; the administrator's own comes from a file."""
    if name == desk.people.me:
        raise UsageError(
            f"{name!r} is the login that this context itself uses; its password stands where "
            "mlflowctl config show says.",
            state="Nothing was changed.",
            next="Write another one there, then: mlflowctl bootstrap   (docs/login.md)",
        )
    desk.people.named(name)
    return [PasswordStep(Action.CHANGE, f"password of {name}", name=name, password=password)]


def plan_keys(desk: Desk, name: str) -> list[Step]:
    """Other keys for the object store, and the rights of the user's role."""
    found = desk.people.named(name)
    role = next((one for one in reversed(Role) if one.value in found.roles), None)
    if role is None:
        raise UsageError(
            f"{name!r} has none of the three roles.",
            state="Nothing was changed.",
            next=f"mlflowctl user role {name} --role reader|trainer|promoter",
        )
    rights = _account(desk, Action.CHANGE, name, role)
    if desk.lacking:
        return [rights]
    return [rights, KeysStep(Action.CHANGE, f"bucket keys of {name}", "those before end", name=name)]


def plan_remove(desk: Desk, name: str) -> list[Step]:
    """What removing would do; also of a user who is half gone already."""
    if name == desk.people.me:
        raise UsageError(
            f"{name!r} is the login that this context itself uses.",
            state="Nothing was changed.",
            next="Let another administrator remove it.",
        )
    login = desk.people.find(name) is not None
    account = not desk.lacking and desk.accounts is not None and name in desk.accounts.names()
    if not login and not account:
        desk.people.named(name)
    return [
        *([LoginStep(Action.REMOVE, f"user {name}", name=name)] if login else []),
        AccountStep(Action.REMOVE, f"bucket keys of {name}", name=name)
        if account
        else AccountStep(
            Action.UNSUPPORTED if desk.lacking else Action.UNCHANGED,
            f"bucket keys of {name}",
            desk.lacking or "there are none",
            name=name,
        ),
    ]


def execute(desk: Desk, steps: list[Step], report: Report) -> Keys | None:
    """Carry out a plan.

    Returns:
        The keys that were made, if any were.
    """
    made: Keys | None = None
    for step in steps:
        if step.effective:
            made = _one(desk, step) or made
        report(step)
    return made


def _one(desk: Desk, step: Step) -> Keys | None:
    assert isinstance(step, UserStep)
    removing = step.action is Action.REMOVE
    if isinstance(step, LoginStep):
        desk.people.delete(step.name) if removing else desk.people.create(step.name, step.password or "")
    elif isinstance(step, PasswordStep):
        desk.people.set_password(step.name, step.password or "")
    elif isinstance(step, RoleStep):
        assert step.role is not None
        desk.people.give(step.name, step.role)
    elif desk.accounts is not None:
        return _store(desk.accounts, step, removing=removing)
    return None


def _store(accounts: Accounts, step: UserStep, *, removing: bool) -> Keys | None:
    if removing:
        accounts.remove(step.name)
        return None
    if isinstance(step, KeysStep):
        return accounts.renew_keys(step.name)
    assert step.role is not None
    accounts.allow(step.name, step.role.value)
    return accounts.renew_keys(step.name) if step.action is Action.CREATE else None
