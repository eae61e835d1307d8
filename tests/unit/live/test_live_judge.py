"""The verdicts of live evidence."""

from __future__ import annotations

import numpy as np
import pytest

from mlflowctl.live.histogram import Histogram
from mlflowctl.live.judge import Terms, combined, judge_latency, judge_mean, judge_rate
from mlflowctl.live.mismatch import mismatch
from mlflowctl.live.quantiles import Latency
from mlflowctl.live.sums import Counts, Moments, Step
from mlflowctl.registry.policy import Metric
from mlflowctl.registry.verdict import Verdict

TERMS = Terms()
ERRORS = Metric("errors", "lower", "guardrail", "non-inferior", 0.01)
SALES = Metric("conversion", "higher", "primary", "superior")


def traffic(
    champion: tuple[int, int], challenger: tuple[int, int], share: float = 0.05
) -> list[Step[Counts]]:
    return [Step(1, share, Counts(*champion), Counts(*challenger))]


EQUAL = traffic((190_000, 9500), (10_000, 500))
HARMED = traffic((190_000, 9500), (10_000, 900))
PLANNED = mismatch(EQUAL)


class TestRate:
    def test_a_guardrail_passes_when_worse_by_the_margin_is_ruled_out(self):
        found = judge_rate(ERRORS, EQUAL, TERMS, 0.05)
        assert found.verdict is Verdict.PASS
        assert "worse by at most" in found.reason
        assert (found.champion, found.challenger) == pytest.approx((0.05, 0.05))

    def test_it_fails_when_the_interval_lies_wholly_beyond_the_margin(self):
        found = judge_rate(ERRORS, HARMED, TERMS)
        assert found.verdict is Verdict.FAIL
        assert found.reason.startswith("Worse by 0.04; with 95 % confidence worse by at least 0.0")
        assert found.interval.low > 0.01

    def test_between_it_is_inconclusive_and_says_how_much_more(self):
        found = judge_rate(ERRORS, traffic((19_000, 950), (1000, 55)), TERMS)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert "more records" in found.more

    def test_a_pass_waits_for_the_minimum(self):
        found = judge_rate(ERRORS, EQUAL, Terms(minimum=20_000))
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.more == "at least 10,000 more records of the rarer version"

    def test_harm_does_not_wait_for_it(self):
        found = judge_rate(ERRORS, traffic((1900, 20), (100, 60)), Terms(minimum=20_000))
        assert found.verdict is Verdict.FAIL

    def test_superior_is_better_by_more_than_the_margin_in_the_metrics_direction(self):
        better = traffic((150_000, 15_000), (50_000, 5600), 0.25)
        assert judge_rate(SALES, better, TERMS).verdict is Verdict.PASS
        worse = traffic((150_000, 15_000), (50_000, 4500), 0.25)
        assert judge_rate(SALES, worse, TERMS).verdict is Verdict.FAIL

    def test_nothing_seen_is_inconclusive(self):
        found = judge_rate(ERRORS, [], TERMS)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.interval is None
        assert found.challenger is None


class TestMeanAndLatency:
    def test_the_bounds_of_the_outcome_choose_the_method(self):
        random = np.random.default_rng(1)
        steps = [
            Step(
                1,
                0.25,
                Moments.of(random.uniform(size=15_000)),
                Moments.of(0.1 + 0.9 * random.uniform(size=5000)),
            )
        ]
        sales = Metric("basket", "higher", "primary", "superior")
        exact, asymptotic = (judge_mean(sales, steps, TERMS, bounds) for bounds in ((0, 1), None))
        assert exact.verdict is asymptotic.verdict is Verdict.PASS
        assert "exact" in exact.interval.method
        assert "asymptotic" in asymptotic.interval.method

    def test_latency_is_held_against_a_margin_in_milliseconds(self):
        random = np.random.default_rng(2)
        old, new = (Histogram.of(random.lognormal(4, 0.3, n)) for n in (95_000, 5000))
        slow = Histogram.of(2 * random.lognormal(4, 0.3, 5000))
        metric = Metric("p95", "lower", "guardrail", "non-inferior", 30.0)
        assert judge_latency(metric, [Latency(0.05, old, new)], 0.95, TERMS).verdict is Verdict.PASS
        harmed = judge_latency(metric, [Latency(0.05, old, slow)], 0.95, TERMS)
        assert harmed.verdict is Verdict.FAIL
        assert harmed.challenger > 1.5 * harmed.champion

    def test_an_open_bound_asks_for_more(self):
        few = Histogram.of(np.full(1200, 50.0))
        metric = Metric("p99", "lower", "guardrail", "non-inferior", 5.0)
        found = judge_latency(metric, [Latency(0.5, few, Histogram.of(np.full(1100, 50.0)))], 0.99, TERMS)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.more == "more records of the rarer version"


class TestCombined:
    def test_all_must_pass(self):
        good = judge_rate(ERRORS, EQUAL, TERMS, 0.05)
        assert combined([good], PLANNED).verdict is Verdict.PASS
        open_ = judge_rate(SALES, EQUAL, TERMS)
        assert combined([good, open_], PLANNED).verdict is Verdict.INCONCLUSIVE

    def test_a_harmed_guardrail_aborts(self):
        found = combined([judge_rate(ERRORS, HARMED, TERMS)], PLANNED)
        assert found.verdict is Verdict.FAIL
        assert found.abort == ("errors",)
        assert found.reason.startswith("errors: Worse by")

    def test_a_primary_metric_that_fails_does_not_abort(self):
        worse = judge_rate(SALES, traffic((150_000, 15_000), (50_000, 4500), 0.25), TERMS)
        assert combined([worse], PLANNED).abort == ()

    def test_a_mismatch_refuses_even_what_looks_harmful_and_says_why(self):
        twice = traffic((180_000, 9000), (20_000, 2000))
        found = combined([judge_rate(ERRORS, twice, TERMS)], mismatch(twice, TERMS.mismatch_alpha))
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.abort == ()
        assert "10 % of 200,000 requests instead of the planned 5 %" in found.reason
        assert found.results[0].verdict is Verdict.FAIL

    def test_no_metric_is_no_pass(self):
        with pytest.raises(ValueError, match="no metric"):
            combined([], PLANNED)
