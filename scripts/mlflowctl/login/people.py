"""The users of an MLflow server, through its REST API: no access to the database is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlflowctl.errors import AccessError, NotFoundError, UnavailableError, UsageError
from mlflowctl.login.roles import WORKSPACE, Level, Role, level

if TYPE_CHECKING:
    from mlflowctl.registry.rest import Rest
    from mlflowctl.settings import Context

USERS = "/api/2.0/mlflow/users/"
ROLES = "/api/3.0/mlflow/roles/"
OWN_PERMISSIONS = "/api/3.0/mlflow/users/current/permissions"
NO_LOGIN = "Export MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or turn it on: mlflowctl up --auth"


@dataclass(frozen=True)
class Person:
    """One user.

    Attributes:
        name: of the user.
        level: how much the user may do.
        roles: names of all roles given to the user; MLflow's own, one per user, left out.
    """

    name: str
    level: Level
    roles: tuple[str, ...]


class People:
    """The users of the server of one context, as its administrator sees them.

    Raises:
        UsageError: the context logs in nowhere.
    """

    def __init__(self, context: Context) -> None:
        from mlflowctl.registry.rest import Rest

        if context.login is None:
            raise UsageError(
                f"{context.describe()} has no users: it asks nobody to log in.",
                state="Nothing was changed.",
                next=NO_LOGIN,
            )
        self.me = context.login.username
        self._rest: Rest = Rest(context.tracking_uri, context.login)

    def all(self) -> list[Person]:
        """Every user, by name."""
        found = self._rest.get(f"{USERS}list").get("users", [])
        return sorted((_person(one) for one in found), key=lambda person: person.name)

    def find(self, name: str) -> Person | None:
        """A user by name."""
        return next((person for person in self.all() if person.name == name), None)

    def named(self, name: str) -> Person:
        """A user by name.

        Raises:
            NotFoundError: there is no such user.
        """
        found = self.find(name)
        if found is None:
            raise NotFoundError(
                f"There is no user {name!r}.", state="Nothing was changed.", next="mlflowctl user list"
            )
        return found

    def create(self, name: str, password: str) -> None:
        self._rest.post(f"{USERS}create", {"username": name, "password": password})

    def set_password(self, name: str, password: str) -> None:
        self._rest.post(f"{USERS}update-password", {"username": name, "password": password}, method="PATCH")

    def delete(self, name: str) -> None:
        self._rest.post(f"{USERS}delete", {"username": name}, method="DELETE")

    def give(self, name: str, role: Role) -> None:
        """Give a role, then take the others of ours away: never a moment without any."""
        numbers = self._numbers()
        if role.value not in numbers:
            raise UnavailableError(
                f"The server has no role {role}.",
                state=f"{name!r} has no new role.",
                next="mlflowctl bootstrap   (makes the three roles)",
            )
        has = set(self.named(name).roles)
        if role.value not in has:
            self._rest.post(f"{ROLES}assign", {"username": name, "role_id": numbers[role.value]})
        for other in Role:
            if other is not role and other.value in has:
                body: dict[str, object] = {"username": name, "role_id": numbers[other.value]}
                self._rest.post(f"{ROLES}unassign", body, method="DELETE")

    def _numbers(self) -> dict[str, int]:
        found = self._rest.get(f"{ROLES}list", workspace=WORKSPACE).get("roles", [])
        return {str(one["name"]): int(one["id"]) for one in found}


def _person(raw: dict[str, Any]) -> Person:
    ours = [one for one in raw.get("roles", []) if one.get("workspace") == WORKSPACE]
    names = tuple(sorted(str(one["name"]) for one in ours if not str(one["name"]).startswith("__user_")))
    return Person(str(raw["username"]), level(admin=bool(raw.get("is_admin")), roles=names), names)


def own_level(context: Context) -> Level:
    """How much the context's own login may do.

    Raises:
        AccessError: name or password are wrong.
        UsageError: the context logs in nowhere.
    """
    from mlflowctl.registry.rest import Rest

    if context.login is None:
        raise UsageError("This context logs in nowhere.", state="Nothing was changed.", next=NO_LOGIN)
    answer = Rest(context.tracking_uri, context.login).get(OWN_PERMISSIONS)
    names = {str(one["role_name"]) for one in answer.get("permissions", [])}
    return level(admin=bool(answer.get("is_admin")), roles=names)


def require(context: Context, needs: Level, what: str) -> None:
    """Refuse early what the server would refuse half-way.

    Args:
        context: where we log in, or not.
        needs: the level that it takes.
        what: needs it: "The smoke test promotes a model of its own, which".

    Raises:
        AccessError: the role is not enough.
    """
    if context.login is None:
        return
    has = own_level(context)
    if has >= needs:
        return
    role = "no role" if has is Level.NOBODY else f"role {has.label}"
    raise AccessError(
        f"{what} takes the role {needs.label}; {context.login.username!r} has {role}.",
        state="Nothing was changed.",
        next=f"Repeat it as a {needs.label} or as administrator (docs/login.md)",
    )
