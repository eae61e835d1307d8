"""The interval of a difference in rates and in bounded means: against its definition, request by request."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflowctl.live import bets, means, rates
from mlflowctl.live.sums import (
    Counts,
    Moments,
    Step,
    mean_step,
    merged,
    rate_step,
    weighted_means,
)


def step(number: int, share: float, champion: tuple[int, int], challenger: tuple[int, int]) -> Step[Counts]:
    return Step(number, share, Counts(*champion), Counts(*challenger))


RAMP = (step(1, 0.01, (990, 50), (10, 1)), step(2, 0.05, (1900, 90), (100, 9)))


class TestSums:
    def test_pieces_merge_in_any_order(self):
        pieces = [
            *RAMP,
            step(2, 0.05, (1, 0), (0, 0)),
            step(1, 0.01, (5, 5), (2, 2)),
        ]
        assert merged(pieces) == merged(reversed(pieces))
        assert merged(pieces)[0] == step(1, 0.01, (995, 55), (12, 3))

    def test_a_step_has_one_share(self):
        with pytest.raises(ValueError, match="step 1 has two shares"):
            merged([RAMP[0], step(1, 0.05, (1, 0), (1, 0))])

    @pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
    def test_a_share_of_nothing_or_everything_compares_nothing(self, share):
        with pytest.raises(ValueError, match="not within 0 to 1"):
            step(1, share, (1, 0), (1, 0))

    def test_moments_merge_to_those_of_all_values_also_far_from_zero(self):
        values = 1e6 + np.random.default_rng(1).lognormal(size=900)
        parts = Moments()
        for part in np.split(values, [10, 11, 400]):
            parts = parts.plus(Moments.of(part))
        whole = Moments.of(values)
        assert parts.seen == 900
        assert (parts.mean, parts.squares, parts.cubes) == pytest.approx(
            (whole.mean, whole.squares, whole.cubes), rel=1e-6
        )

    def test_they_survive_json_and_ten_million_records_are_as_small_as_ten(self):
        small, large = RAMP[0], step(1, 0.01, (9_900_000, 50_000), (100_000, 700))
        assert rate_step(json.loads(json.dumps(large.as_dict()))) == large
        assert len(json.dumps(large.as_dict())) < len(json.dumps(small.as_dict())) + 20
        mean = Step(1, 0.5, Moments.of(np.arange(5.0)), Moments.of(np.arange(7.0)))
        assert mean_step(json.loads(json.dumps(mean.as_dict()))) == mean

    def test_nan_is_no_outcome(self):
        with pytest.raises(ValueError, match="finite"):
            Moments.of(np.array([1.0, np.nan]))


class TestBets:
    @pytest.mark.parametrize("expected", [None, 0.0, 0.03, 1.0])
    def test_the_weights_add_up_to_one(self, expected):
        assert np.exp(bets.bets(expected).log_weight).sum() == pytest.approx(1)
        assert np.exp(bets.bets_at(0.95).log_weight).sum() == pytest.approx(1)

    @pytest.mark.parametrize("side", [1, -1])
    @pytest.mark.parametrize("share", [0.01, 0.25, 0.9])
    @pytest.mark.parametrize(("champion", "challenger"), [(0.01, 0.01), (0.5, 0.4), (0.0, 1.0), (0.9, 1.0)])
    def test_one_request_leaves_the_wealth_at_most_one_on_average_under_the_truth(
        self, champion, challenger, share, side
    ):
        # This is all that makes it a supermartingale, so it holds whatever the rates did before.
        chances = [
            share * challenger,
            share * (1 - challenger),
            (1 - share) * champion,
            (1 - share) * (1 - champion),
        ]
        cells = np.eye(4)[:, None, :]
        wealth = np.exp(rates.log_evidence(cells, np.array([share]), challenger - champion, side))
        assert 0.5 < float(wealth @ chances) <= 1 + 1e-12

    def test_counts_are_worth_what_their_requests_are_one_by_one(self):
        family, p = bets.bets(0.2), 0.05
        cells, shares = rates.cells_of([step(1, p, (3, 1), (2, 1))])
        found = rates.grown(cells, shares, family, 1)
        at = int(np.flatnonzero((family.size == 0.5) & (family.centre == 0.2))[0])
        requests = [(1, 1), (1, 0), (0, 1), (0, 0), (0, 0)]
        by_hand = math.fsum(math.log(1 + 0.5 * (z - p) * (y - 0.2)) for z, y in requests)
        assert found[at] == pytest.approx(by_hand)

    def test_a_bet_that_could_lose_everything_is_dropped(self):
        family = bets.bets()
        cells, shares = rates.cells_of([step(1, 0.05, (100, 5), (5, 0))])
        found = rates.grown(cells, shares, family, -1)
        lost = family.size * np.maximum(0.95 * (1 - family.centre), 0.05 * family.centre)
        assert (np.isneginf(found) == (lost >= rates.NEAR_RUIN)).all()


class TestRateDifference:
    def test_the_bound_is_where_the_evidence_reaches_one_over_alpha(self):
        cells, shares = rates.cells_of(RAMP)
        found = rates.rate_difference(RAMP, 0.05)
        assert float(rates.log_evidence(cells, shares, found.low, 1)) == pytest.approx(math.log(20))
        assert float(rates.log_evidence(cells, shares, found.high, -1)) == pytest.approx(math.log(20))

    def test_without_a_request_of_one_version_there_is_none(self):
        assert rates.rate_difference([step(1, 0.05, (100, 3), (0, 0))], 0.05) is None
        assert rates.rate_difference([], 0.05) is None

    def test_no_error_at_all_is_not_taken_for_perfect(self):
        found = rates.rate_difference([step(1, 0.05, (1900, 0), (100, 0))], 0.05)
        assert found.low <= 0 < 0.02 < found.high

    def test_the_price_of_looking_always_is_bounded(self):
        # 1.64 standard errors for one look at a fixed date; 3 to 3.6 here, over five orders of magnitude.
        for requests in (100_000, 1_000_000, 100_000_000):
            new, old = requests // 20, requests - requests // 20
            found = rates.rate_difference([step(1, 0.05, (old, old // 20), (new, new // 20))], 0.05, 0.05)
            error = math.sqrt(0.05 * 0.95 * (1 / new + 1 / old))
            assert 2.4 < (found.estimate - found.low) / error < 4
            assert 2.4 < (found.high - found.estimate) / error < 4

    def test_a_step_weighs_by_its_share_so_late_traffic_does_not_pose_as_an_effect(self):
        # Equal within each step; the challenger has most requests in the worse second one.
        ramped = [step(1, 0.01, (99_000, 1980), (1000, 20)), step(2, 0.25, (75_000, 7500), (25_000, 2500))]
        found = rates.rate_difference(ramped, 0.05)
        assert found.estimate == pytest.approx(0)
        assert found.low < 0 < found.high
        pooled = 2520 / 26_000 - 9480 / 174_000
        assert pooled > 0.04
        assert weighted_means(ramped) == pytest.approx((0.096, 0.096), abs=1e-3)

    @pytest.mark.parametrize("alpha", [0.0, 1.0])
    def test_alpha_is_a_chance(self, alpha):
        with pytest.raises(ValueError, match="alpha"):
            rates.rate_difference(RAMP, alpha)

    def test_the_expectation_is_a_rate(self):
        with pytest.raises(ValueError, match="expected rate"):
            rates.rate_difference(RAMP, 0.05, 1.5)


@settings(max_examples=40, deadline=None)
@given(
    share=st.floats(0.01, 0.5),
    champion=st.tuples(st.integers(1, 3000), st.floats(0, 1)),
    challenger=st.tuples(st.integers(1, 300), st.floats(0, 1)),
)
def test_counting_successes_instead_of_failures_turns_the_interval_round(share, champion, challenger):
    (n0, r0), (n1, r1) = champion, challenger
    k0, k1 = int(n0 * r0), int(n1 * r1)
    there = rates.rate_difference([step(1, share, (n0, k0), (n1, k1))], 0.05)
    back = rates.rate_difference([step(1, share, (n0, n0 - k0), (n1, n1 - k1))], 0.05)
    assert -1 <= there.low <= there.estimate <= there.high <= 1
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=1e-9)


class TestMeanDifference:
    def test_for_zeros_and_ones_it_is_valid_too_but_never_narrower_than_the_exact_one(self):
        exact = rates.rate_difference(RAMP, 0.05)
        moments = [
            Step(
                s.number,
                s.share,
                *(
                    Moments.of(np.repeat([1.0, 0.0], (a.hits, a.seen - a.hits)))
                    for a in (s.champion, s.challenger)
                ),
            )
            for s in RAMP
        ]
        found = means.bounded_difference(moments, 0.05, 0, 1)
        assert found.low <= exact.low + 1e-9
        assert found.high >= exact.high - 1e-9
        assert found.high - found.low < 2 * (exact.high - exact.low)

    def test_the_unit_of_the_outcome_does_not_matter(self):
        random = np.random.default_rng(4)
        old, new = random.uniform(size=2000), random.uniform(size=200)
        plain = means.bounded_difference([Step(1, 0.1, Moments.of(old), Moments.of(new))], 0.05, 0, 1)
        cents = [Step(1, 0.1, Moments.of(100 * old - 40), Moments.of(100 * new - 40))]
        scaled = means.bounded_difference(cents, 0.05, -40, 60)
        assert (scaled.low, scaled.high) == pytest.approx((100 * plain.low, 100 * plain.high), rel=1e-6)

    def test_outcomes_beyond_the_bounds_are_refused(self):
        outcomes = Moments.of(np.array([0.0, 0.0, 3.0]))
        with pytest.raises(ValueError, match="do not all lie"):
            means.bounded_difference([Step(1, 0.1, outcomes, outcomes)], 0.05, 0, 1)
        with pytest.raises(ValueError, match="do not exist"):
            means.bounded_difference([], 0.05, 1, 1)

    def test_the_asymptotic_one_waits_for_a_thousand_outcomes_of_each(self):
        random = np.random.default_rng(4)
        old, new = Moments.of(random.normal(size=9000)), Moments.of(random.normal(size=999))
        assert means.unbounded_difference([Step(1, 0.1, old, new)], 0.05) is None

    def test_the_asymptotic_one_is_the_offline_one_for_a_single_step(self):
        from mlflowctl.registry.gates.intervals import independent_means

        random = np.random.default_rng(5)
        old, new = random.normal(size=9000), 0.1 + random.normal(size=1000)
        live = means.unbounded_difference([Step(1, 0.1, Moments.of(old), Moments.of(new))], 0.05)
        offline = independent_means(old, new, 0.05)
        assert (live.estimate, live.low, live.high) == pytest.approx(
            (offline.estimate, offline.low, offline.high), rel=1e-6
        )
