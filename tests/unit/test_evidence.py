"""evidence.json: the same evidence gives the same bytes, and nothing else is ever taken for evidence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.unit import evidence_samples as samples

from mlflowctl.errors import ConflictError, UsageError
from mlflowctl.registry.evidence import store
from mlflowctl.registry.evidence.model import (
    Evidence,
    ModelFacts,
    from_json,
    schema,
    sha256,
    to_json,
)
from mlflowctl.registry.verdict import CheckResult, GateResult, Interval

DOCS = Path(__file__).parents[2] / "docs" / "evidence.md"
EVERY = pytest.mark.parametrize("make", samples.ALL.values(), ids=samples.ALL)


@EVERY
def test_what_was_written_is_read_back_to_the_same_bytes(make):
    written = to_json(make())

    assert to_json(from_json(written)) == written


def test_evidence_of_plain_values_is_equal_after_reading():
    assert from_json(to_json(samples.undecided())) == samples.undecided()


def test_the_bytes_do_not_depend_on_the_order_in_which_anything_was_put_together():
    facts = samples.facts()
    other = dict(reversed(facts.items()))
    policy = dict(reversed(samples.POLICY.items()))

    assert to_json(samples.passed(facts={"challenger": other, "champion": facts}, policy=policy)) == to_json(
        samples.passed(facts={"champion": facts, "challenger": other}, policy=samples.POLICY)
    )


def test_the_bytes_are_ascii_lines_with_sorted_keys():
    written = to_json(samples.passed(reason="größer"))

    assert written.isascii()
    assert written.endswith(b"}\n")
    assert list(json.loads(written)) == sorted(json.loads(written))


def test_every_change_changes_the_sha256_which_is_the_one_that_sha256sum_prints():
    written = to_json(samples.passed())

    assert sha256(written) == hashlib.sha256(written).hexdigest()
    assert sha256(to_json(samples.passed(reason="another"))) != sha256(written)


def test_numbers_that_json_does_not_have_are_null_with_a_note_and_come_back():
    interval = Interval(0.1, -math.inf, math.inf, 0.05, "none", 0)
    odd = samples.gate(interval=interval, challenger=math.nan)
    facts = {"challenger": samples.facts() | {"metrics": {"a/b~c": math.inf}}, "champion": None}
    written = to_json(samples.passed(gates=(odd,), facts=facts))
    body = json.loads(written)

    assert body["gates"][0]["interval"]["low"] is None
    assert body["non_finite"] == {
        "/facts/challenger/metrics/a~1b~0c": "Infinity",
        "/gates/0/challenger": "NaN",
        "/gates/0/interval/high": "Infinity",
        "/gates/0/interval/low": "-Infinity",
    }
    found = from_json(written)
    assert found.gates[0].interval == interval
    assert math.isnan(found.gates[0].challenger)
    assert found.facts["challenger"]["metrics"] == {"a/b~c": math.inf}


def test_numbers_of_numpy_are_numbers():
    import numpy

    assert to_json(samples.passed(alpha=numpy.float64(0.025))) == to_json(samples.passed(alpha=0.025))


@pytest.mark.parametrize("value", [object(), {1: "a"}, {"a": {b"b"}}], ids=["object", "key", "set"])
def test_what_json_does_not_know_is_refused_when_it_is_written(value):
    with pytest.raises(TypeError, match="evidence cannot hold"):
        to_json(samples.passed(policy={"digest": "x", "odd": value}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "not a uuid"},
        {"at": "24 November"},
        {"version": 0},
        {"policy": {}},
        {"facts": {"challenger": {}, "champion": None}},
        {"holdout": {"location": "x"}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_evidence_that_could_not_be_read_again_is_never_written(wrong):
    with pytest.raises(ValueError, match="this is no evidence"):
        to_json(samples.passed(**wrong))


def altered(**changed: object) -> bytes:
    return json.dumps(json.loads(to_json(samples.passed())) | changed).encode()


def test_a_newer_schema_names_the_mlflowctl_that_can_read_it():
    newer = altered(schema="mlflowctl.evidence/2", environment={"mlflowctl": "0.9.0"}, more=1)

    with pytest.raises(UsageError) as caught:
        from_json(newer)

    assert "mlflowctl.evidence/2" in caught.value.what
    assert caught.value.next == "Install mlflowctl 0.9.0 or newer, then repeat the command."


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema": "mlflowctl.evidence/1"}',
        altered(schema="somebody.else/1"),
        altered(schema=1),
        altered(verdict="maybe"),
        altered(foreign="field"),
        altered(non_finite={"/nowhere/at/all": "NaN"}),
        altered(non_finite={"/version": "NaN"}),
        altered(non_finite={"/gates/7/margin": "NaN"}),
        altered(non_finite={"": "NaN"}),
        altered(gates=[{"name": "only"}]),
    ],
    ids=range(15),
)
def test_whatever_else_stands_there_is_a_conflict_and_no_traceback(content):
    with pytest.raises(ConflictError, match="cannot be read"):
        from_json(content)


def test_the_schema_lets_nothing_pass_that_the_dataclasses_do_not_have():
    Draft202012Validator.check_schema(schema())
    shapes = {
        Evidence: schema(),
        GateResult: schema()["$defs"]["gate"],
        Interval: schema()["$defs"]["gate"]["properties"]["interval"],
        CheckResult: schema()["$defs"]["check"],
        ModelFacts: schema()["$defs"]["model"],
    }
    for kind, shape in shapes.items():
        extra = {"non_finite"} if kind is Evidence else set()
        assert set(shape["properties"]) == {one.name for one in dataclasses.fields(kind)} | extra
        assert set(shape["required"]) == set(shape["properties"])
        assert shape["additionalProperties"] is False


def rows(shape: dict, prefix: str = "") -> list[str]:
    """The rows of the table in docs/evidence.md, made from the schema."""
    found = []
    for name, field in shape["properties"].items():
        place, target = f"{prefix}{name}", field
        if field.get("type") == "array":
            place, target = f"{place}[]", field["items"]
        reference = target.get("$ref") or target.get("oneOf", [{}])[0].get("$ref")
        found.append(f"| `{place}` | {kind(field)} | {field['description']} |")
        if reference and prefix + name != "facts.champion":
            found += rows(schema()["$defs"][reference.rsplit("/", 1)[1]], f"{place}.")
        elif field.get("additionalProperties") is False:
            found += rows(field, f"{place}.")
    return found


def kind(field: dict) -> str:
    if "enum" in field:
        return ", ".join(f"`{one}`" if one else "empty" for one in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "oneOf" in field:
        return "object or null"
    types = field.get("type", "object")
    return types if isinstance(types, str) else " or ".join(types)


def test_the_documented_table_is_the_schema():
    wanted = rows(schema())
    table = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    assert table == wanted, "docs/evidence.md needs this table:\n" + "\n".join(wanted)


@pytest.mark.parametrize(
    ("model", "at", "folder"),
    [
        ("churn", "2026-11-24T22:05:31Z", "evidence/churn/8/20261124T220531Z-ab/"),
        ("churn", "2026-11-24T23:05:31.123+01:00", "evidence/churn/8/20261124T220531Z-ab/"),
        ("a b/ü%", "2026-11-24T22:05:31+00:00", "evidence/a%20b%2F%C3%BC%25/8/20261124T220531Z-ab/"),
    ],
)
def test_the_folder_names_model_version_and_time_and_nothing_in_a_name_leaves_it(model, at, folder):
    assert store.key(model, 8, "ab", at) == folder
