"""The reference pages are what the commands and the schemas say; every ``--json`` has its schema."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator, ValidationError, validate
from tests.unit import reference

PAGES = ("commands.md", "json.md")
NARROW = {"COLUMNS": "40", "TERM": "dumb", "LANG": "C.UTF-8", "PYTHONHASHSEED": "7"}
WIDE = {"COLUMNS": "300", "TERM": "xterm-256color", "FORCE_COLOR": "1", "PYTHONHASHSEED": "8"}
NO_JSON = {"logs", "env"}  # docs/json.md says why


def schema_names() -> list[str]:
    return sorted(path.stem for path in reference.SCHEMAS.glob("*.json"))


@pytest.mark.parametrize("terminal", [NARROW, WIDE], ids=["narrow", "wide"])
def test_the_committed_pages_are_what_make_docs_writes(terminal, tmp_path):
    done = subprocess.run(
        [sys.executable, str(reference.GENERATOR), str(tmp_path)],
        env=os.environ | terminal,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in PAGES:
        committed = (reference.ROOT / "docs" / page).read_text()
        assert committed == (tmp_path / page).read_text(), f"docs/{page} is out of date: run `make docs`"


def test_every_command_with_json_has_a_schema_and_no_schema_is_left_over():
    generate = reference.generator()
    answering = {command.schema for command in generate.commands() if command.has_json}
    assert {*answering, generate.WRONG_USAGE} == set(schema_names())


def test_only_logs_and_env_have_no_json():
    silent = {
        command.schema
        for command in reference.generator().commands()
        if not (command.has_json or command.is_group)
    }
    assert silent == NO_JSON
    assert all(f"`mlflowctl {name}`" in reference.generator().JSON_HEAD for name in NO_JSON)


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_valid_names_its_command_and_lets_nothing_undocumented_pass(name):
    schema = reference.schema(name)
    Draft202012Validator.check_schema(schema)
    if name != reference.generator().WRONG_USAGE:
        assert schema["properties"]["schema"] == {"const": f"mlflowctl.{name}/1"}
    for shape in [schema, *schema["$defs"].values()]:
        assert shape["additionalProperties"] is False
        assert set(shape["required"]) == set(shape["properties"]), "every field is always there"


def test_every_field_of_every_shape_is_described():
    undescribed = [
        f"{name}: {shape}.{field}"
        for name in schema_names()
        for shape, definition in reference.schema(name)["$defs"].items()
        for field, described in definition["properties"].items()
        if not described.get("description")
    ]
    assert undescribed == []


def test_shapes_that_several_schemas_share_are_the_same_everywhere():
    """Each file stands alone for its readers, so what they share is repeated, and compared here."""
    for shape in ("error", "plan", "moved", "frozen", "refused", "problem", "entry", "actor", "finding"):
        variants = {
            json.dumps(definitions[shape])
            for definitions in (reference.schema(name)["$defs"] for name in schema_names())
            if shape in definitions
        }
        assert len(variants) == 1, shape
    assert reference.schema("up")["$defs"]["step"] == reference.schema("bootstrap")["$defs"]["step"]
    assert reference.schema("up")["$defs"]["started"] == reference.schema("restart")["$defs"]["started"]
    assert reference.schema("demo")["$defs"]["report"] == reference.schema("smoke-test")["$defs"]["report"]


def test_an_undocumented_key_fails():
    good = {"stopped": True, "deleted": False, "data_dir": "/somewhere"}
    envelope = {"schema": "mlflowctl.down/1", "ok": True, "result": good, "error": None}
    validate(envelope, reference.schema("down"))
    for bad in (
        envelope | {"more": 1},
        envelope | {"result": good | {"more": 1}},
        envelope | {"ok": False},
        envelope | {"result": None},
    ):
        with pytest.raises(ValidationError):
            validate(bad, reference.schema("down"))


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md", "docs/json.md"])
def test_links_lead_to_files_and_headings_that_exist(page):
    source = reference.ROOT / page
    for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", source.read_text()):
        file = source.parent / target if target else source
        assert file.exists(), f"{page} links to {target}"
        if heading:
            lines = file.read_text().splitlines()
            headings = [line.lstrip("# ") for line in lines if line.startswith("#")]
            assert heading in [reference.generator().anchor(one) for one in headings], f"{page}: #{heading}"
