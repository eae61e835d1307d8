"""The packaged SQL of the guard: what can be said about it without a database."""

from __future__ import annotations

import re

import pytest

from mlflowctl.database.manifest import VERSION, GuardSettings, packaged, split

# One line per version ever released. A change to the SQL needs a new version, or installed guards would be
# called altered instead of outdated.
CHECKSUMS = {
    1: "be250f36bfcdd5f5db9b1ebb4ce2612c96a9da1454e8dd33b318db3dada6b833",
}


def test_a_changed_guard_has_a_new_version() -> None:
    assert packaged().checksum() == CHECKSUMS[VERSION]


def test_every_statement_of_the_guard_is_compared_with_the_catalog() -> None:
    sql = packaged()
    assert len([d for d in sql.expected() if d.label.startswith("function")]) == len(sql.functions) + 1
    assert len([d for d in sql.expected() if "function" not in d.label]) == len(sql.attachments) + 1


def test_every_function_pins_its_search_path() -> None:
    sql = packaged()
    functions = [s for s in (*sql.functions, *sql.history, *sql.pause) if "FUNCTION mlflowctl." in s[:60]]
    assert functions
    assert all("SET search_path TO 'pg_catalog', 'pg_temp'" in s for s in functions)


def test_every_table_is_named_with_its_schema() -> None:
    sql = packaged(registry="elsewhere")
    text = "\n".join((*sql.functions, *sql.attachments, *sql.pause))
    assert not re.search(r"public\.", text)
    tables = re.findall(
        r"(?:FROM|INTO|UPDATE|JOIN|\bON) (?!CONFLICT)([\w.]*(?:models|versions|aliases|tags))\b", text
    )
    assert tables
    assert all(table.startswith("elsewhere.") for table in tables)


def test_no_token_is_left_open() -> None:
    sql = packaged(settings=GuardSettings("at-most-one", True))
    assert "@" not in "\n".join((*sql.functions, *sql.attachments, *sql.pause, *sql.history))


def test_settings_change_the_checksum() -> None:
    assert packaged(settings=GuardSettings("at-most-one")).checksum() != packaged().checksum()


@pytest.mark.parametrize("name", ["champion-required", "champion-kept", "champion-alias", "one-champion"])
def test_every_refusal_says_what_to_do_and_that_nothing_was_changed(name: str) -> None:
    text = "\n".join(packaged().functions)
    refusals = re.findall(
        rf"RAISE EXCEPTION 'mlflowctl guard \[{name}\]: (.*?)USING ERRCODE", text, re.DOTALL
    )
    assert refusals
    for refusal in refusals:
        plain = re.sub(r"'\s*\n\s*'", "", refusal)
        assert "Nothing was changed. " in plain


def test_a_semicolon_in_a_comment_or_a_body_splits_nothing() -> None:
    body = "CREATE FUNCTION f() AS $function$BEGIN; -- a; b\nEND$function$"
    assert split(f"-- one; two\n{body};\nSELECT 1;\n") == [body, "SELECT 1"]
