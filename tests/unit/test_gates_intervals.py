"""The intervals of the gates: against formulas by hand, brute force, exact enumeration and other methods."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

from mlflowctl.registry.gates import intervals, metrics
from mlflowctl.registry.gates.bootstrap import bootstrap
from mlflowctl.registry.gates.compare import difference
from mlflowctl.registry.gates.truth import NoValue, truth_of

Z = 1.6448536269514722


def binary_rows(seed: int = 3, n: int = 400):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, n)
    scores = [1 / (1 + np.exp(-(edge * (truth - 0.5) + random.normal(size=n)))) for edge in (1.5, 1.8)]
    return truth, *scores


class TestPairedBinary:
    def test_without_a_discordant_row_it_is_the_root_of_a_quadratic_and_not_zero_wide(self):
        n = 200
        found = intervals.paired_binary(0, 0, n, 0.05)
        # (n d - 1/2)² = z² n d (1 - d)
        a, b, c = n * n + Z * Z * n, -n - Z * Z * n, 0.25
        root = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
        assert found.estimate == 0
        assert found.high == pytest.approx(root, abs=1e-9)
        assert found.low == pytest.approx(-root, abs=1e-9)

    def test_against_no_difference_it_is_mcnemars_statistic_with_half_a_correction(self):
        # The bound is 0 exactly where (b - c - 1/2) / sqrt(b + c) = z.
        for gained, lost in ((9, 2), (30, 14), (31, 18), (12, 6)):
            statistic = (gained - lost - 0.5) / math.sqrt(gained + lost)
            assert (intervals.paired_binary(gained, lost, 500, 0.05).low > 0) == (statistic > Z)

    @pytest.mark.parametrize(
        ("gained", "lost", "at"), [(7, 3, -0.02), (0, 5, 0.03), (12, 12, 0.1), (4, 0, -0.05)]
    )
    def test_the_null_variance_is_at_the_constrained_maximum_of_the_likelihood(self, gained, lost, at):
        n = 150

        def unlikely(losing: float) -> float:
            shares = (losing + at, losing, 1 - 2 * losing - at)
            counts = (gained, lost, n - gained - lost)
            return -sum(k * math.log(max(p, 1e-300)) for k, p in zip(counts, shares, strict=True) if k)

        best = minimize_scalar(
            unlikely, bounds=(max(0, -at), (1 - at) / 2), method="bounded", options={"xatol": 1e-10}
        )
        deviation = math.sqrt(n * (2 * best.x + at - at * at))
        assert intervals._null_deviation(gained, lost, n, at) == pytest.approx(deviation, rel=1e-3)

    @pytest.mark.parametrize("margin", [0.0, 0.01, 0.02, 0.05])
    def test_enumerated_it_never_passes_more_often_than_alpha(self, margin):
        n, most = 100, 24
        low = {(b, c): intervals.paired_binary(b, c, n, 0.05).low for b in range(most) for c in range(most)}
        for gained in (0.0, 0.005, 0.01, 0.02, 0.04):
            lost = gained + margin
            if lost == 0:
                continue
            chance = math.fsum(
                stats.binom.pmf(b, n, gained) * stats.binom.pmf(c, n - b, lost / (1 - gained))
                for (b, c), bound in low.items()
                if bound > -margin
            )
            assert chance <= 0.05, (gained, lost)

    @pytest.mark.parametrize(("gained", "lost", "n"), [(0, 5, 5), (5, 0, 5), (1, 0, 1), (0, 1, 1)])
    def test_extreme_counts_stay_within_minus_one_and_one(self, gained, lost, n):
        found = intervals.paired_binary(gained, lost, n, 0.05)
        assert -1 <= found.low <= found.estimate <= found.high <= 1


class TestPairedMean:
    def test_without_skewness_and_heavy_tails_it_is_students(self):
        rows = np.array([-1.0, 3.0] * 40)
        found = intervals.paired_mean(rows, 0.05)
        t = stats.t.ppf(0.95, 79) * rows.std(ddof=1) / math.sqrt(80)
        assert (found.low, found.high) == pytest.approx((1 - t, 1 + t))

    def test_skewness_widens_the_side_of_the_tail_and_never_narrows_the_other(self):
        rows = np.concatenate([np.full(97, 0.1), np.full(3, -4.0)])
        found = intervals.paired_mean(rows, 0.05)
        t = stats.t.ppf(0.95, 99) * rows.std(ddof=1) / 10
        assert found.estimate - found.low > 1.3 * t
        assert found.high - found.estimate >= t

    def test_halls_transformation_is_undone(self):
        # g(T) = T + s T²/3 + s² T³/27 + s/6 must bring the reach back to the quantile.
        for skewness in (-0.4, -0.05, 0.05, 0.3):
            reach = intervals.unskewed(Z, skewness)
            forth = reach + skewness * reach**2 / 3 + skewness**2 * reach**3 / 27 + skewness / 6
            assert forth == pytest.approx(Z)

    def test_heavy_tails_cost_degrees_of_freedom(self):
        random = np.random.default_rng(0)
        normal, heavy = random.normal(size=5000), random.standard_t(3, size=5000)
        assert intervals._freedom(normal) > 4000
        assert intervals._freedom(heavy) < 1500

    def test_fewer_than_thirty_rows_have_no_interval(self):
        with pytest.raises(NoValue, match="only 29 rows"):
            intervals.paired_mean(np.arange(29.0), 0.05)

    def test_rows_that_all_differ_by_the_same_are_certain(self):
        found = intervals.paired_mean(np.full(50, 0.25), 0.05)
        assert (found.low, found.estimate, found.high) == (0.25, 0.25, 0.25)


class TestAreaUnderTheCurve:
    def test_placements_are_counted_pair_by_pair(self):
        random = np.random.default_rng(5)
        scores, positive = random.integers(0, 6, 60).astype(float), random.random(60) < 0.4
        above, below = scores[positive], scores[~positive]
        wins = (above[:, None] > below) + 0.5 * (above[:, None] == below)
        of_positives, of_negatives = intervals.placements(scores, positive)
        assert of_positives == pytest.approx(wins.mean(axis=1))
        assert of_negatives == pytest.approx(wins.mean(axis=0))

    def test_the_width_is_delongs(self):
        truth, champion, challenger = binary_rows(n=3000)
        positive = truth == 1
        found = intervals.paired_auc(champion, challenger, positive, 0.05)
        covariances = []
        for rows in zip(
            *(intervals.placements(one, positive) for one in (champion, challenger)), strict=True
        ):
            covariances.append(np.cov(np.stack(rows)) / rows[0].size)
        whole = covariances[0] + covariances[1]
        error = math.sqrt(whole[0, 0] + whole[1, 1] - 2 * whole[0, 1])
        assert found.high - found.low == pytest.approx(2 * Z * error, rel=0.01)

    def test_one_positive_is_too_few(self):
        positive = np.zeros(50, dtype=bool)
        positive[0] = True
        with pytest.raises(NoValue, match="fewer than 2 rows"):
            intervals.paired_auc(np.arange(50.0), np.arange(50.0), positive, 0.05)


class TestDeltaMethodAndBootstrap:
    @pytest.mark.parametrize(("name", "function"), [("rmse", "root_mean_squared_error"), ("r2", "r2_score")])
    def test_the_linearised_rows_agree_with_a_bootstrap_of_scikit_learns_function(self, name, function):
        random = np.random.default_rng(8)
        values = 3 * random.normal(size=300)
        truth = truth_of(values)
        champion, challenger = (values + scale * random.normal(size=300) for scale in (1.0, 1.2))
        rows = metrics.linear_rows(name, champion, challenger, truth)
        gap = metrics.value(name, challenger, truth) - metrics.value(name, champion, truth)
        assert rows.mean() == pytest.approx(gap)
        fast = difference(name, truth, champion, challenger, 0.05, 0)
        slow = bootstrap(f"sklearn.metrics:{function}", truth, champion, challenger, 0.05, 0)
        assert fast.high - fast.low == pytest.approx(slow.high - slow.low, rel=0.12)

    @pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
    def test_drawing_groups_of_like_rows_agrees_with_drawing_rows(self, name):
        truth, champion, challenger = binary_rows(n=150)
        old, new = (champion > 0.5).astype(int), (challenger > 0.5).astype(int)
        fast = difference(name, truth_of(truth), old, new, 0.05, 0)
        slow = difference(f"{__name__}:{name}_by_hand", truth_of(truth), old, new, 0.05, 1)
        assert fast.estimate == pytest.approx(slow.estimate)
        assert fast.high - fast.low == pytest.approx(slow.high - slow.low, rel=0.12)

    def test_the_same_seed_gives_the_same_interval_and_another_seed_another(self):
        truth, champion, challenger = binary_rows()
        one, same, other = (
            difference("average_precision", truth_of(truth), champion, challenger, 0.05, seed)
            for seed in (7, 7, 8)
        )
        assert one == same != other

    def test_a_metric_that_is_undefined_on_many_resamples_has_no_interval(self):
        truth, champion, challenger = binary_rows()
        with pytest.raises(NoValue, match="undefined on"):
            difference(f"{__name__}:fragile", truth_of(truth), champion, challenger, 0.05, 0)


def f1_by_hand(true, predicted) -> float:
    return 2 * (true & predicted).sum() / (true.sum() + predicted.sum())


def balanced_accuracy_by_hand(true, predicted) -> float:
    return float(predicted[true == 1].mean() + (1 - predicted[true == 0]).mean()) / 2


def fragile(true, predicted) -> float:
    """Works on the rows themselves, and on hardly any resample."""
    return 0.5 if len(np.unique(predicted)) == len(predicted) else float("nan")


class TestConfidenceSequence:
    def test_the_factor_is_the_one_sided_normal_mixture_boundary(self):
        n, alpha = 7000, 0.05
        rho = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / 20_000)
        boundary = math.sqrt(
            2 * (n * rho**2 + 1) / (n**2 * rho**2) * math.log(1 + math.sqrt(n * rho**2 + 1) / (2 * alpha))
        )
        assert intervals.sequence_factor(n, alpha) == pytest.approx(boundary * math.sqrt(n))

    def test_it_is_wider_than_a_single_look_and_shrinks(self):
        factors = [intervals.sequence_factor(n, 0.05) for n in (1000, 20_000, 400_000)]
        assert min(factors) > 2 > Z
        widths = [factor / math.sqrt(n) for factor, n in zip(factors, (1000, 20_000, 400_000), strict=True)]
        assert widths == sorted(widths, reverse=True)

    def test_an_arm_without_a_failure_is_not_taken_for_perfect(self):
        found = intervals.independent_means(np.ones(2000), np.ones(100), 0.05)
        assert found.low < -0.04

    @pytest.mark.parametrize(("old", "new", "whose"), [(99, 500, "champion"), (500, 99, "challenger")])
    def test_a_hundred_outcomes_of_each_come_first(self, old, new, whose):
        random = np.random.default_rng(0)
        with pytest.raises(NoValue, match=f"The {whose} has only 99 outcomes"):
            intervals.independent_means(random.normal(size=old), random.normal(size=new), 0.05)

    def test_outcomes_that_are_almost_all_the_same_number_are_too_few(self):
        costs = np.zeros(500)
        costs[:9] = 12.5
        with pytest.raises(NoValue, match="All but 9 of 500"):
            intervals.independent_means(np.random.default_rng(0).normal(size=500), costs, 0.05)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from([one for one in metrics.METRICS if one not in metrics.RESAMPLED] + ["f1"]),
)
def test_swapping_the_models_turns_the_interval_round(seed, name):
    truth, champion, challenger = binary_rows(seed, n=120)
    facts = truth_of(truth)
    there = difference(name, facts, champion, challenger, 0.05, 0)
    back = difference(name, facts, challenger, champion, 0.05, 0)
    assert there.low <= there.estimate <= there.high
    assert back.estimate == pytest.approx(-there.estimate)
    # The f1 groups are numbered the other way round, so its resamples differ.
    near = 0.02 if name == "f1" else 1e-6
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=near)
