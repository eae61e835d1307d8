"""What the terminal says about evidence: the verdict, what stands in the way, and what would pass."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tests.unit import evidence_samples as samples
from tests.unit.evidence_samples import FAIL, OPEN, gate, guardrail

from mlflowctl.registry.evidence.figures import decimals, number, signed, size
from mlflowctl.registry.evidence.text import explain, summary_lines
from mlflowctl.registry.evidence.words import comparison, difference, headline, would_pass
from mlflowctl.registry.verdict import Interval


def test_a_pass_needs_two_lines():
    assert summary_lines(samples.passed()) == [
        "pass: Version 8 may replace version 7 (churn).",
        "Both metrics passed. All 4 checks passed. On the primary metric roc_auc, version 8 measured "
        "0.0125 better (0.9312 against 0.9187).",
    ]


def test_a_failure_lists_what_failed_with_its_next_step():
    assert summary_lines(samples.failed()) == [
        "fail: Version 8 must not replace version 7 (churn).",
        "2 of 3 metrics failed: p95_latency_ms, revenue_per_user. 1 of 4 checks failed: "
        "Signature fits the champion's.",
        "  failed: p95_latency_ms (guardrail): Version 8 is worse than version 7 by more than 5.",
        "  failed: revenue_per_user (threshold): 3.91 misses the threshold of 4.",
        "  failed: Signature fits the champion's (check, signature): input charges was double and is string",
        "    next: log the model with the champion's input schema, or promote it under another name",
    ]


def test_an_open_verdict_says_how_much_more_is_needed():
    lines = summary_lines(samples.undecided())

    assert lines[0] == "inconclusive: Whether version 8 may replace version 7 cannot be decided yet (churn)."
    assert "    more: about 1,900 more rows of the same kind" in lines


def test_explain_says_for_each_reason_what_would_pass():
    assert explain(samples.failed()) == [
        "Version 8 must not replace version 7 (churn, judged 2026-11-24 22:05 UTC by anna).",
        "  failed: p95_latency_ms (guardrail): Version 8 is worse than version 7 by more than 5.",
        "    to pass: a version that is not worse than version 7 (40.9) by 5 or more, with 95 % confidence",
        "  failed: revenue_per_user (threshold): 3.91 misses the threshold of 4.",
        "    to pass: a version that has at least 4 (this one has 3.91)",
        "  failed: Signature fits the champion's (check, signature): input charges was double and is string",
        "    to pass: log the model with the champion's input schema, or promote it under another name",
        "4 of 7 metrics and checks passed.",
    ]


def test_explain_of_a_version_that_was_not_refused_says_so():
    assert explain(samples.first())[-1] == "It was not refused: nothing more is needed."


@pytest.mark.parametrize(
    ("verdict", "champion", "says"),
    [
        (samples.PASS, None, "Version 8 may become the first champion"),
        (FAIL, None, "Version 8 must not become the first champion"),
        (OPEN, None, "Whether version 8 may become the first champion cannot be decided yet"),
    ],
)
def test_the_first_champion_replaces_nobody(verdict, champion, says):
    assert headline(samples.passed(verdict=verdict, champion=champion)) == says


def test_a_verdict_without_any_result_is_still_explained():
    nothing = samples.passed(verdict=FAIL, gates=(), checks=())

    assert summary_lines(nothing)[1] == (
        "The policy asked for no metric and no check. None of them stood in the way by itself."
    )


def test_a_metric_that_could_not_be_computed_needs_one_that_can():
    broken = gate("odd", FAIL, threshold=None, rule="", role="threshold", challenger=None, interval=None)

    assert would_pass(broken, samples.passed()) == "a value that can be computed"


def test_where_less_is_better_the_interval_is_turned_so_that_right_is_better():
    turned = difference(guardrail())

    assert (turned.estimate, turned.low, turned.high, turned.limit) == (-0.8, -3.5, 1.9, -5.0)
    assert comparison(guardrail(), samples.passed()) == (
        "Version 8 measured 0.8 worse: at most 3.5 worse, at most 1.9 better, each with 95 % confidence."
    )


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.1, 0.3, "at least 0.10 better, at most 0.30 better"),
        (-0.3, -0.1, "at most 0.30 worse, at least 0.10 worse"),
        (-math.inf, 0.3, "no lower bound yet, at most 0.3 better"),
    ],
)
def test_both_bounds_are_said_the_right_way_round(low, high, says):
    found = gate(interval=Interval(0.2 if low > 0 else -0.2, low, high, 0.05, "m", 9))
    assert says in comparison(found, samples.passed())


@pytest.mark.parametrize("estimate", [math.nan, math.inf])
def test_an_interval_that_means_nothing_is_none(estimate):
    assert difference(gate(interval=Interval(estimate, -1, 1, 0.05, "m", 9))) is None


def test_nothing_of_a_stranger_moves_the_cursor_or_breaks_a_line():
    for line in [*summary_lines(samples.hostile()), *explain(samples.hostile())]:
        assert line.isprintable(), line
        assert len(line) < 1200
        line.encode()


def test_no_line_is_longer_for_a_longer_reason():
    long = replace(samples.failed(), gates=(gate(verdict=FAIL, reason="a\nb " * 5000),))
    assert all("\n" not in line and len(line) < 600 for line in summary_lines(long))


@pytest.mark.parametrize(
    ("half", "places"),
    [(0.0063, 4), (0.5, 2), (3.0, 1), (12.0, 0), (4000.0, 0), (0.0, None), (math.inf, None)],
)
def test_values_have_as_many_decimals_as_the_uncertainty_deserves(half, places):
    assert decimals(gate(interval=Interval(0, -half, half, 0.05, "m", 9))) == places


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        (0.93124, 4, "0.9312"),
        (0.93124, None, "0.9312"),
        (1234567.8, None, "1,234,568"),
        (1234.5, 1, "1,234.5"),
        (-0.00001, 3, "0.000"),
        (-2.5, 1, "−2.5"),
        (3e-9, None, "3e−09"),
        (1e300, 2, "1e+300"),
        (math.nan, 2, "not a number"),
        (None, 2, "none"),
        (20, None, "20"),
    ],
)
def test_numbers_are_short_and_exact_enough(value, places, shown):
    assert number(value, places) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.5, "+0.50"), (-0.5, "−0.50"), (0.001, "0.00"), (0.0, "0.00")]
)
def test_a_difference_carries_its_sign(value, shown):
    assert signed(value, 2) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (1200, "1.2 kB"), (618_000, "618 kB"), (2.5e12, "2,500 GB")],
)
def test_sizes_have_the_unit_that_fits(count, shown):
    assert size(count) == shown
