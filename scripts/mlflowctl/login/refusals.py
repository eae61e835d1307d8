"""What the gate answers when a role is not enough: a sentence for people, a mark for programs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlflowctl.login.roles import Level

MARK = re.compile(r"mlflowctl login \[(\w+)\]: [^\n]*")


@dataclass(frozen=True)
class Refusal:
    """A refused operation.

    Attributes:
        needs: the level that it takes.
        what: it does, as a sentence without its end: "moving a stage".
    """

    needs: Level
    what: str

    def text(self, user: str, has: Level) -> str:
        """One line; the name in brackets is stable, for programs."""
        needed = "an administrator" if self.needs is Level.ADMIN else f"the role {self.needs.label}"
        role = "no role" if has is Level.NOBODY else f"role {has.label}"
        return f"mlflowctl login [{self.needs.label}]: {self.what} takes {needed}; {user!r} has {role}."


def needed(text: str) -> str | None:
    """The level that a server's answer names, or None if the gate did not write it."""
    found = MARK.search(text)
    return found[1] if found else None
