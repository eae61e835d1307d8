"""The packaged guard: its SQL as single statements, and the definitions that the catalog must show.

The SQL files are written word for word as PostgreSQL prints its own definitions, so they serve twice: they
are executed at install, and compared with ``pg_get_functiondef``, ``pg_get_triggerdef`` and
``pg_get_constraintdef`` afterwards. Nothing that is recorded inside the database is believed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

VERSION = 1  # raise with every change to the SQL files; a unit test pins the checksum of each version

Level = Literal["exactly-one", "at-most-one"]
LEVELS: tuple[Level, ...] = ("exactly-one", "at-most-one")

SCHEMA = "mlflowctl"
CONSTRAINT = "mlflowctl_one_production"
SETTINGS_FUNCTIONS = ("guard_version", "level", "several_challengers")
HISTORY_FUNCTION = "history_append_only"
HISTORY_COLUMNS = {
    "id": "bigint",
    "at": "timestamp with time zone",
    "transaction": "xid8",
    "role": "text",
    "event": "text",
    "workspace": "text",
    "model": "text",
    "version": "integer",
    "from_stage": "text",
    "to_stage": "text",
    "former_workspace": "text",
    "former_model": "text",
}


@dataclass(frozen=True)
class GuardSettings:
    """How strict the guard is.

    Attributes:
        level: ``exactly-one``: a model that has a champion keeps one. ``at-most-one``: it may lose it.
        several_challengers: allow a model more than one version in Staging.
    """

    level: Level = "exactly-one"
    several_challengers: bool = False

    def __str__(self) -> str:
        challengers = "several challengers" if self.several_challengers else "one challenger"
        return f"{self.level}, {challengers}"


DEFAULTS = GuardSettings()


@dataclass(frozen=True)
class Definition:
    """One object that must stand: how a person names it, and how the catalog prints it."""

    label: str
    text: str


@dataclass(frozen=True)
class Packaged:
    """The guard as packaged, for one registry schema and one choice of settings."""

    history: tuple[str, ...]
    functions: tuple[str, ...]
    attachments: tuple[str, ...]
    pause: tuple[str, ...]

    def expected(self) -> list[Definition]:
        """What :func:`mlflowctl.database.catalog.read` must find, no more and no less."""
        definitions = (_definition(s) for s in (*self.history, *self.functions, *self.attachments))
        return [d for d in definitions if d is not None]

    def settings_functions(self) -> list[str]:
        """The statements that build in version and settings, and nothing else."""
        return [s for s in self.functions if _FUNCTION.match(s)[1] in SETTINGS_FUNCTIONS]  # type: ignore[index]

    def checksum(self) -> str:
        """Of the definitions, to be compared with that of what stands."""
        return checksum(self.expected())


@lru_cache(maxsize=8)
def packaged(registry: str = "public", settings: GuardSettings = DEFAULTS) -> Packaged:
    """The packaged guard.

    Args:
        registry: schema of MLflow's tables, quoted as an identifier if it needs quoting.
        settings: the settings to build in.
    """
    tokens = {
        "@registry@": registry,
        "@level@": settings.level,
        "@several@": str(settings.several_challengers).lower(),
        "@version@": str(VERSION),
    }

    def statements(name: str) -> tuple[str, ...]:
        text = resources.files("mlflowctl.database").joinpath(name).read_text(encoding="utf-8")
        for token, value in tokens.items():
            text = text.replace(token, value)
        return tuple(split(text))

    return Packaged(
        statements("history.sql"),
        statements("guard.sql"),
        statements("triggers.sql"),
        statements("pause.sql"),
    )


def split(text: str) -> list[str]:
    """The statements of a SQL file; comments outside function bodies are dropped."""
    parts = text.split("$function$")
    outside = [re.sub(r"--[^\n]*", "", part).replace(";", "\0") for part in parts[::2]]
    parts[::2] = outside
    return [s.strip() for s in "$function$".join(parts).split("\0") if s.strip()]


def normalised(definition: str) -> str:
    """A definition without the freedom of white space."""
    return re.sub(r"\s+", " ", definition).strip().rstrip(";").replace("( ", "(").replace(" )", ")")


def checksum(definitions: list[Definition]) -> str:
    """Of a set of definitions, whatever their order."""
    lines = sorted(f"{d.label}\0{d.text}" for d in definitions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


_FUNCTION = re.compile(r"CREATE OR REPLACE FUNCTION mlflowctl\.(\w+)\(")
_TRIGGER = re.compile(r"CREATE (?:CONSTRAINT )?TRIGGER (\w+) .*? ON (\S+) ", re.DOTALL)
_CONSTRAINT = re.compile(r"ALTER TABLE \S+ ADD CONSTRAINT (\w+)\s+(.*)", re.DOTALL)


def _definition(statement: str) -> Definition | None:
    if found := _FUNCTION.match(statement):
        return Definition(function_label(found[1]), normalised(statement))
    text = normalised(statement)
    if found := _TRIGGER.match(text):
        return Definition(trigger_label(found[1], found[2].rsplit(".", 1)[-1]), text)
    if found := _CONSTRAINT.match(text):
        return Definition(constraint_label(found[1]), found[2])
    return None


def function_label(name: str) -> str:
    """How a person names a function of the guard."""
    return f"function {SCHEMA}.{name}"


def trigger_label(name: str, table: str) -> str:
    """How a person names a trigger of the guard."""
    return f"trigger {name} on {table}"


def constraint_label(name: str) -> str:
    """How a person names the constraint of the guard."""
    return f"constraint {name} on model_versions"
