"""Every commit, replayed from PostgreSQL's write-ahead log, and the rules checked after each one.

Logical decoding hands out every transaction that committed, in commit order, whoever made it: nothing is
sampled and nothing is missed. The replay starts from a state read while nobody writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from guard_registry import Registry

SLOT = "proof"
Model = tuple[str, str]
_CHANGE = re.compile(r"table public\.(\w+): (INSERT|UPDATE|DELETE): (.*)", re.DOTALL)
_FIELD = re.compile(r"(\w+)\[[^\]]+\]:('(?:[^']|'')*'|\S+)")


@dataclass
class Replay:
    """The registry as it stood after each commit, and what was wrong with it."""

    stages: dict[Model, dict[int, str]] = field(default_factory=dict)
    champions: dict[Model, int] = field(default_factory=dict)
    models: int = 0
    commits: int = 0
    broken_commits: int = 0
    violations: list[str] = field(default_factory=list)
    _touched: set[Model] = field(default_factory=set)

    @classmethod
    def begin(cls, registry: Registry) -> Replay:
        """Start recording; nobody may write at this moment."""
        registry.sql(
            "SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", (SLOT,), role="guard_admin"
        )
        replay = cls()
        for workspace, name, version, stage in registry.sql(
            "SELECT workspace, name, version, current_stage FROM model_versions"
        ):
            replay.stages.setdefault((workspace, name), {})[version] = stage
        for workspace, name, version in registry.sql(
            "SELECT workspace, name, version FROM registered_model_aliases WHERE alias = 'champion'"
        ):
            replay.champions[workspace, name] = version
        replay.models = len(replay.stages)
        return replay

    def finish(self, registry: Registry) -> None:
        """Replay everything that was committed since :meth:`begin`, and check the end against the tables."""
        query = "SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL, 'skip-empty-xacts', '1')"
        for (line,) in registry.sql(query, (SLOT,), role="guard_admin"):
            self._feed(line)
        registry.sql("SELECT pg_drop_replication_slot(%s)", (SLOT,), role="guard_admin")
        for (workspace, name), stages in self.stages.items():
            assert stages == registry.stages(name, workspace), f"the replay lost track of {name}"

    def _feed(self, line: str) -> None:
        if line.startswith("COMMIT"):
            self._check(line)
        elif change := _CHANGE.match(line):
            table, operation, rest = change.groups()
            old, _, new = rest.partition("new-tuple:") if "new-tuple:" in rest else ("", "", rest)
            before = _values(old if old else rest)
            after = _values(new)
            if table == "model_versions":
                self._version(operation, before, after)
            elif table == "registered_model_aliases":
                self._alias(operation, before, after)

    def _version(self, operation: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        old, new = _model(before), _model(after)
        versions = self.stages.setdefault(old, {})
        versions.pop(int(before["version"]), None)
        self._touched.add(old)
        if not versions:
            del self.stages[old]
        if operation != "DELETE":
            self.stages.setdefault(new, {})[int(after["version"])] = after["current_stage"]
            self._touched.add(new)

    def _alias(self, operation: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        if before["alias"] == "champion":
            self.champions.pop(_model(before), None)
            self._touched.add(_model(before))
        if operation != "DELETE" and after["alias"] == "champion":
            self.champions[_model(after)] = int(after["version"])
            self._touched.add(_model(after))

    def _check(self, commit: str) -> None:
        if not self._touched:
            return
        self.commits += 1
        before = len(self.violations)
        for model in self._touched & (self.stages.keys() | self.champions.keys()):
            production = [v for v, stage in self.stages.get(model, {}).items() if stage == "Production"]
            champion = self.champions.get(model)
            if production != [champion]:
                what = f"{model[1]}: Production {production}, alias champion {champion}"
                self.violations.append(f"{commit}: {what}")
        if len(self.stages) != self.models:
            self.violations.append(f"{commit}: there are {len(self.stages)} models, not {self.models}")
        self.broken_commits += len(self.violations) > before
        self._touched.clear()


def _values(text: str) -> dict[str, Any]:
    return {name: value.strip("'").replace("''", "'") for name, value in _FIELD.findall(text)}


def _model(values: dict[str, Any]) -> Model:
    return values["workspace"], values["name"]
