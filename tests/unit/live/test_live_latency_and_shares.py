"""Latency quantiles from histograms, and the test of the planned shares."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats

from mlflowctl.live.histogram import BUCKETS, EDGES, Histogram
from mlflowctl.live.mismatch import log_evidence, mismatch
from mlflowctl.live.quantiles import Latency, quantile, quantile_difference
from mlflowctl.live.sums import Counts, Step

ONE = np.array([1.0])


def typical(median: float, n: int, seed: int = 0) -> Histogram:
    return Histogram.of(np.random.default_rng(seed).lognormal(math.log(median), 0.4, n))


class TestHistogram:
    def test_counts_at_an_edge_are_exact(self):
        values = np.random.default_rng(2).lognormal(4, 1, 5000)
        found = Histogram.of(values).at_most()
        for at in (0, 200, 350, 500, BUCKETS - 1):
            assert found[at] == (values <= EDGES[at]).sum()

    def test_merging_is_counting_together(self):
        first, second = typical(50, 700), typical(90, 300, 1)
        values = [
            np.random.default_rng(s).lognormal(math.log(m), 0.4, n)
            for s, m, n in ((0, 50, 700), (1, 90, 300))
        ]
        assert first.plus(second) == second.plus(first) == Histogram.of(np.concatenate(values))

    def test_it_is_bounded_and_survives_json(self):
        wide = Histogram.of(10 ** np.random.default_rng(3).uniform(-3, 7, 200_000))
        assert len(wide.buckets) <= BUCKETS + 1
        assert wide.seen == 200_000
        assert Histogram.load(json.loads(json.dumps(wide.as_dict()))) == wide

    @pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
    def test_what_is_no_latency_is_refused(self, bad):
        with pytest.raises(ValueError, match="finite and not negative"):
            Histogram.of(np.array([1.0, bad]))


class TestQuantiles:
    @pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
    def test_it_holds_the_truth_and_shrinks_to_the_width_of_a_bucket(self, level):
        truth, widths = 60 * math.exp(0.4 * stats.norm.ppf(level)), []
        for n in (5_000, 50_000, 1_000_000):
            found = quantile([typical(60, n)], ONE, level, 0.05)
            assert found.low < truth < found.high
            assert found.low <= found.estimate <= found.high
            widths.append(found.high / found.low)
        assert widths == sorted(widths, reverse=True)
        assert widths[-1] < 1.02**5

    def test_too_few_requests_have_no_upper_bound_of_the_tail(self):
        # log(0.99) a request: it takes some 1,200 to be sure that 1 % are slower than the slowest seen.
        assert quantile([typical(60, 500)], ONE, 0.99, 0.05).high == math.inf
        assert quantile([typical(60, 3000)], ONE, 0.99, 0.05).high < math.inf

    def test_slower_than_the_last_edge_is_no_number(self):
        stuck = Histogram.of(np.full(5000, 1e6))
        found = quantile([stuck], ONE, 0.5, 0.05)
        assert found.low == pytest.approx(EDGES[-1])
        assert found.high == math.inf

    def test_a_step_weighs_by_its_share(self):
        # Both versions slow down alike from the first step to the second.
        steps = [
            Latency(0.01, typical(50, 99_000), typical(50, 1000, 1)),
            Latency(0.25, typical(200, 75_000, 2), typical(200, 25_000, 3)),
        ]
        found = quantile_difference(steps, 0.5, 0.05)
        assert found.low < 0 < found.high
        assert abs(found.estimate) < 10

    def test_a_challenger_twice_as_slow_is_found_slower(self):
        steps = [Latency(0.05, typical(50, 95_000), typical(100, 5000, 1))]
        assert all(quantile_difference(steps, level, 0.05).low > 0 for level in (0.5, 0.95, 0.99))

    def test_without_a_request_of_one_version_there_is_none(self):
        assert quantile_difference([Latency(0.05, typical(50, 10), Histogram())], 0.5, 0.05) is None

    @pytest.mark.parametrize(("level", "alpha"), [(0.0, 0.05), (1.0, 0.05), (0.5, 0.0)])
    def test_levels_lie_between_0_and_1(self, level, alpha):
        with pytest.raises(ValueError):
            quantile([typical(50, 10)], ONE, level, alpha)


def split(share: float, champion: int, challenger: int) -> Step[Counts]:
    return Step(1, share, Counts(champion), Counts(challenger))


class TestMismatch:
    def test_the_evidence_is_a_beta_binomial_against_a_binomial(self):
        n, k, p = 500, 40, 0.05
        a, b = 95.0, 1805.0  # shares that differ from 5 % by about a tenth of it
        by_hand = stats.betabinom.logpmf(k, n, a, b) - stats.binom.logpmf(k, n, p)
        found = log_evidence(np.array([float(k)]), np.array([float(n - k)]), np.array([p]))
        assert float(found) == pytest.approx(by_hand)

    def test_on_average_it_stays_one_under_the_plan(self):
        k = np.arange(201.0)
        ratio = np.exp(log_evidence(k[:, None], 200 - k[:, None], np.array([0.05])))
        assert float(ratio @ stats.binom.pmf(k, 200, 0.05)) == pytest.approx(1)

    def test_shares_of_each_step_are_tested_by_themselves(self):
        planned = [split(0.01, 9900, 100), split(0.25, 7500, 2500)]
        assert not mismatch(planned).found
        assert mismatch([split(0.01, 9900, 100), split(0.25, 9900, 100)]).found

    def test_an_exact_rotation_is_no_mismatch(self):
        assert mismatch([split(0.05, 950_000, 50_000)]).p_value == 1

    def test_the_reason_has_the_numbers(self):
        found = mismatch([split(0.05, 9000, 1000)])
        assert found.found
        assert found.reason.startswith(
            "The challenger answered 10 % of 10,000 requests instead of the planned 5 %"
        )

    def test_nothing_seen_is_no_mismatch(self):
        assert mismatch([]).p_value == 1
        assert mismatch([split(0.05, 0, 0)]).p_value == 1
