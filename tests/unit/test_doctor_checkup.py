"""The doctor's pure parts: order, skipping with the root reason, versions against pins."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from mlflowctl.doctor import checkup, machine
from mlflowctl.doctor.check import Check, Finding, Skip
from mlflowctl.errors import AccessError
from mlflowctl.settings import Context

CONTEXT = Context(name="client", chosen_by="a test", tracking_uri="http://127.0.0.1:1")


def find(context):
    raise Finding("it is broken", "mlflowctl mend")


def skip(context):
    raise Skip("no database")


def deny(context):
    raise AccessError("PostgreSQL refused.", next="mlflowctl config show")


def examine(*checks):
    told = []
    results = checkup.examine(CONTEXT, told.append, checks)
    assert told == results
    return {result.name: (result.verdict, result.what, result.next) for result in results}


def test_a_finding_names_its_command_and_what_builds_on_it_is_skipped():
    assert examine(
        Check("a", "the a", find),
        Check("b", "the b", lambda c: "well", ("a",)),
        Check("c", "the c", lambda c: "well", ("b",)),
        Check("d", "the d", lambda c: "well"),
    ) == {
        "a": ("failed", "it is broken", "mlflowctl mend"),
        "b": ("skipped", "the a failed", ""),
        "c": ("skipped", "the a failed", ""),
        "d": ("ok", "well", ""),
    }


def test_what_cannot_be_checked_here_says_why_down_the_chain():
    found = examine(Check("a", "the a", skip), Check("b", "the b", lambda c: "well", ("a",)))
    assert found == {"a": ("skipped", "no database", ""), "b": ("skipped", "no database", "")}


def test_a_typed_error_is_a_failure_with_its_next_command():
    found = examine(Check("a", "the a", deny))
    assert found == {"a": ("failed", "PostgreSQL refused", "mlflowctl config show")}


def test_every_check_needs_only_checks_before_it():
    seen = set()
    for check in checkup.CHECKS:
        assert set(check.needs) <= seen, check.name
        seen.add(check.name)
    assert len(seen) == len(checkup.CHECKS)


def test_pins_are_read_from_a_checkout_only(tmp_path: Path):
    (tmp_path / "constraints.txt").write_text(
        "# made by pip\nboto3==1.2.3\ntyper==9.9  # via us\nold==1; python_version < '3'\n\n"
    )
    assert machine.checkout_pins(tmp_path) == {}
    (tmp_path / "pyproject.toml").write_text("")
    assert machine.checkout_pins(tmp_path) == {"boto3": "1.2.3", "typer": "9.9"}


def test_only_installed_packages_can_differ_from_their_pin():
    installed = importlib.metadata.version("typer")
    assert machine.differing({"typer": installed, "no-such-package": "1"}) == []
    assert machine.differing({"typer": "0.0.1"}) == [f"typer {installed} is installed, 0.0.1 is pinned"]
