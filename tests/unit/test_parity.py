"""The embedded stack and Compose run the same: every difference stands in docs/parity.md with its reason.

The column of AWS is compared by ``tests/terraform/test_parity_aws.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import parity_facts
from tests.parity_facts import Facts, compose_file, contradictions, documented


@pytest.fixture
def embedded(tmp_path: Path) -> Facts:
    return parity_facts.embedded(*parity_facts.new_stack(tmp_path / "stack"))


def test_every_difference_is_documented_and_no_other_is(embedded: Facts, tmp_path: Path):
    told = {name: (row.embedded, row.compose) for name, row in documented().items()}
    assert contradictions(embedded, parity_facts.compose(tmp_path), told) == []


def test_every_row_tells_a_difference_and_its_reason():
    rows = documented()
    lines = [line for line in parity_facts.PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(lines), "a row that cannot be read, or a fact told twice"
    assert [name for name, row in rows.items() if len({row.embedded, row.compose, row.aws}) == 1] == []
    assert [name for name, row in rows.items() if len(row.why) < 10] == []


def test_a_contradiction_is_found_in_either_direction():
    here, there = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2"}
    assert contradictions(here, there, {"b": ("one", "two"), "c": ("one", "none")}) == []
    undocumented = contradictions(here, there, {"b": ("one", "two")})
    assert [one.split(":")[0] for one in undocumented] == ["c"]
    outdated = contradictions(here, there, dict.fromkeys("abcd", ("one", "two")))
    assert [one.split(":")[0] for one in outdated] == ["a", "d"]


def test_what_is_compared_includes_what_matters(embedded: Facts):
    for name in (
        "server: MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
        "server: MLFLOW_SERVER_ALLOWED_HOSTS",
        "database: max_connections",
        "store: disableHttp",
        "buckets: lifecycle",
        "initdb",
    ):
        assert embedded.get(name), name
    assert len(embedded) > 50


def test_bootstrap_makes_both_so_bucket_and_registry_settings_cannot_differ():
    bootstrap = compose_file()["services"]["bootstrap"]
    assert bootstrap["command"] == ["bootstrap"]
    assert bootstrap["image"] == compose_file()["services"]["mlflow"]["image"]
