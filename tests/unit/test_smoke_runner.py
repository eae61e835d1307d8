"""The smoke test's runner: order, dependents, clean-up, interruption, and what a report looks like."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mlflowctl.errors import UnavailableError, UsageError
from mlflowctl.settings import Context
from mlflowctl.smoke import junit, runner
from mlflowctl.smoke.bench import Skip, SmokeStep, new_token
from mlflowctl.smoke.report import Outcome

CONTEXT = Context(name="local", chosen_by="a test", tracking_uri="http://127.0.0.1:1")


def step(name, run, needs=(), always=False):
    return SmokeStep(name, name.title(), f"do {name}", run, needs, always)


def fail(bench):
    raise UnavailableError("The store is away.", state="Nothing works.", next="mlflowctl up")


def skip(bench):
    raise Skip("no keys")


def interrupt(bench):
    raise KeyboardInterrupt


def run(*steps, **options):
    told = []
    report = runner.run(CONTEXT, told.append, steps=steps, **options)
    assert told == report.outcomes
    return report


def verdicts(report):
    return {outcome.name: outcome.verdict for outcome in report.outcomes}


def test_what_builds_on_a_failure_is_skipped_and_what_does_not_goes_on():
    report = run(
        step("a", fail),
        step("b", lambda b: "fine", ("a",)),
        step("c", lambda b: "fine", ("b",)),
        step("d", lambda b: "fine"),
        step("clean", lambda b: "clean", always=True),
    )
    assert verdicts(report) == {"a": "failed", "b": "skipped", "c": "skipped", "d": "ok", "clean": "ok"}
    assert [o.detail for o in report.outcomes] == [
        "The store is away.",
        "needs: A",
        "needs: B",
        "fine",
        "clean",
    ]
    assert report.outcomes[0].error == {
        "code": "unavailable",
        "message": "The store is away.",
        "state": "Nothing works.",
        "next": "mlflowctl up",
    }
    assert report.summary().startswith("2 ok, 1 failed, 2 skipped in ")


def test_a_step_that_does_not_apply_is_skipped_with_its_reason():
    report = run(step("a", skip))
    assert (report.outcomes[0].verdict, report.outcomes[0].detail) == ("skipped", "no keys")
    assert report.failures == []


def test_an_interruption_skips_the_rest_and_still_cleans_up():
    cleaned = []
    report = run(
        step("a", interrupt),
        step("b", lambda b: "fine"),
        step("clean", lambda b: cleaned.append(b.token) or "clean", always=True),
    )
    assert report.interrupted
    assert cleaned == [report.token]
    assert verdicts(report) == {"a": "failed", "b": "skipped", "clean": "ok"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_steps_is_an_interruption_too(number):
    cleaned = []

    def tell(outcome):
        if outcome.name == "a":
            os.kill(os.getpid(), number)

    steps = (
        step("a", lambda b: "fine"),
        step("b", lambda b: "fine"),
        step("clean", lambda b: cleaned.append(b.token) or "clean", always=True),
    )
    report = runner.run(CONTEXT, tell, steps=steps)
    assert report.interrupted
    assert cleaned == [report.token]
    assert verdicts(report) == {"a": "ok", "b": "skipped", "clean": "ok"}


def test_every_step_needs_only_steps_before_it():
    seen = set()
    for one in runner.STEPS:
        assert set(one.needs) <= seen, one.name
        seen.add(one.name)
    assert len(seen) == len(runner.STEPS)
    assert runner.STEPS[-1].always


def test_the_environment_is_the_contexts_during_the_test_and_as_before_after_it(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere.example")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "EXPORTED")
    before = dict(os.environ)
    seen = {}
    run(step("a", lambda b: seen.update(os.environ) or "fine"))
    assert seen["MLFLOW_TRACKING_URI"] == CONTEXT.tracking_uri
    assert "AWS_ACCESS_KEY_ID" not in seen
    assert dict(os.environ) == before


def test_two_runs_never_share_a_name():
    assert len({new_token() for _ in range(1000)}) == 1000


def test_junit_has_a_testcase_per_step(tmp_path: Path):
    report = run(step("a", fail), step("b", lambda b: "fine", ("a",)), step("c", lambda b: "bell \a & <tag>"))
    file = tmp_path / "report.xml"
    junit.refuse_unwritable(file)
    junit.write(report, file)
    suite = ElementTree.parse(file).getroot()
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    first, second, third = suite.findall("testcase")
    failure = first.find("failure")
    assert failure is not None
    assert failure.get("message") == "The store is away."
    assert failure.text == "state: Nothing works.\nnext: mlflowctl up"
    assert second.find("skipped") is not None
    assert third.findtext("system-out") == "bell ? & <tag>"


@pytest.mark.parametrize("path", ["missing/report.xml", "."])
def test_junit_refuses_a_place_that_cannot_be_written_before_anything_is_tested(tmp_path: Path, path: str):
    with pytest.raises(UsageError, match="cannot be written"):
        junit.refuse_unwritable(tmp_path / path)


def test_seconds_are_rounded_for_programs():
    assert Outcome("a", "A", "ok", 0.123456, "fine").as_dict()["seconds"] == 0.123
