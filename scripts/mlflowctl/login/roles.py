"""The three roles: what each is granted in MLflow's own terms, and how they rank.

MLflow's grants go as far as "may change models"; it cannot tell registering a version from promoting one.
That line is drawn by the gate (:mod:`mlflowctl.login.operations`), which ranks a user by these roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum

WORKSPACE = "default"  # MLflow's name for the only workspace there is while workspaces are off


class Role(StrEnum):
    """A role that ``mlflowctl user add --role`` gives."""

    READER = "reader"
    TRAINER = "trainer"
    PROMOTER = "promoter"


class Level(IntEnum):
    """How much a user may do; each level includes those below it."""

    NOBODY = 0
    READER = 1
    TRAINER = 2
    PROMOTER = 3
    ADMIN = 4

    @property
    def label(self) -> str:
        return self.name.lower()


# resource type → MLflow's permission on every resource of that type. MANAGE includes deleting, which MLflow
# wants for deleting a version's tag; what else it includes, the gate keeps for administrators. On scorers it
# must be MANAGE: MLflow lets nobody delete an experiment of his own who holds less on what it may contain.
GRANTS: Mapping[Role, Mapping[str, str]] = {
    Role.READER: {"experiment": "READ", "registered_model": "READ", "prompt": "READ", "scorer": "READ"},
    Role.TRAINER: {"experiment": "EDIT", "registered_model": "EDIT", "prompt": "EDIT", "scorer": "MANAGE"},
    Role.PROMOTER: {
        "experiment": "EDIT",
        "registered_model": "MANAGE",
        "prompt": "MANAGE",
        "scorer": "MANAGE",
    },
}
DESCRIPTIONS: Mapping[Role, str] = {
    Role.READER: "reads everything, changes nothing (mlflowctl)",
    Role.TRAINER: "logs runs, registers versions (mlflowctl)",
    Role.PROMOTER: "what trainers may, and stages, aliases, ledger (mlflowctl)",
}


def level(*, admin: bool, roles: Iterable[str]) -> Level:
    """The level of a user.

    Args:
        admin: whether MLflow calls the user an administrator.
        roles: names of the roles that the user has; others than ours count nothing.
    """
    if admin:
        return Level.ADMIN
    ours = {role.value: Level[role.name] for role in Role}
    return max((ours[name] for name in roles if name in ours), default=Level.NOBODY)
