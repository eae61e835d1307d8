"""Telling whether the guard that stands is the packaged one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mlflowctl.database import catalog
from mlflowctl.database.catalog import Registry, Standing
from mlflowctl.database.manifest import DEFAULTS, LEVELS, VERSION, GuardSettings, Level, checksum, packaged

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

Condition = Literal["absent", "outdated", "altered", "intact"]


@dataclass(frozen=True)
class GuardState:
    """What stands of the guard.

    Attributes:
        condition: ``intact`` only if every object is, word for word, the packaged one.
        version: the installed version, if it can be told.
        settings: the installed settings, if they can be told.
        differences: what is missing, changed, disabled or too much, for people.
        paused: the guard has made way for a schema migration that has not ended.
        checksum: of the definitions that stand in the catalog.
    """

    condition: Condition
    version: int | None = None
    settings: GuardSettings | None = None
    differences: list[str] = field(default_factory=list)
    paused: bool = False
    checksum: str = ""


def compare(cursor: Cursor, registry: Registry) -> GuardState:
    """Compare what stands in the catalog with the packaged guard; inside the caller's transaction."""
    standing = catalog.read(cursor)
    guards = [d for d in standing.definitions if "history" not in d.label]
    if not guards:
        return GuardState("absent")
    version = _built_in_version(standing)
    settings = _built_in_settings(standing)
    differences = _differences(standing, registry, settings or DEFAULTS)
    condition: Condition = "altered" if differences else "intact"
    if version is not None and version < VERSION:
        condition = "outdated"
    return GuardState(
        condition, version, settings, differences, standing.paused, checksum(standing.definitions)
    )


def _differences(standing: Standing, registry: Registry, settings: GuardSettings) -> list[str]:
    if standing.paused:
        return ["paused for a schema migration; the registry is closed for changes"]
    expected = {d.label: d.text for d in packaged(registry.schema, settings).expected()}
    found: dict[str, list[str]] = {}
    for definition in standing.definitions:
        found.setdefault(definition.label, []).append(definition.text)
    differences = [f"{label} is missing" for label in expected if label not in found]
    differences += [f"{label} is not part of the guard" for label in found if label not in expected]
    differences += [
        f"{label} was changed"
        for label, texts in found.items()
        if label in expected and texts != [expected[label]]
    ]
    if not standing.history:
        differences.append("table mlflowctl.history is missing")
    return differences + standing.complaints


def _built_in_version(standing: Standing) -> int | None:
    found = re.fullmatch(r"SELECT (\d+)", standing.sources.get("guard_version", ""))
    return int(found[1]) if found else None


def _built_in_settings(standing: Standing) -> GuardSettings | None:
    level = re.fullmatch(r"SELECT '([\w-]+)'", standing.sources.get("level", ""))
    several = re.fullmatch(r"SELECT (true|false)", standing.sources.get("several_challengers", ""))
    levels: dict[str, Level] = {name: name for name in LEVELS}
    if not level or level[1] not in levels or not several:
        return None
    return GuardSettings(levels[level[1]], several[1] == "true")
