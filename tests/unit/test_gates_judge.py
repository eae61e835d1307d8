"""The verdicts of the gates, three-valued, with a reason and what would decide."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflowctl.registry.gates.judge import judge_holdout, judge_outcomes, judge_run, spend
from mlflowctl.registry.policy import Business, Metric
from mlflowctl.registry.verdict import Verdict

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
N = 1000
TRUTH = np.arange(N) % 2


def wrong_on(first: int, last: int) -> np.ndarray:
    """Labels that are wrong on these rows."""
    labels = TRUTH.copy()
    labels[first:last] = 1 - labels[first:last]
    return labels


def metric(role: str = "primary", rule: str = "superior", margin: float = 0.0, **more) -> Metric:
    return Metric(
        **{"name": "accuracy", "direction": "higher", "role": role, "rule": rule, "margin": margin, **more}
    )


def holdout(one: Metric, champion, challenger, truth=TRUTH, alpha: float = 0.05):
    return judge_holdout(one, truth, champion, challenger, alpha, seed=0)


class TestSuperior:
    def test_clearly_better_passes(self):
        found = holdout(metric(), wrong_on(0, 100), wrong_on(0, 50))
        assert found.verdict is PASS
        assert (found.champion, found.challenger) == (0.9, 0.95)
        assert found.interval.low > 0.03
        assert "Better by 0.05; with 95 % confidence better by at least 0.03" in found.reason
        assert found.more == ""

    def test_clearly_better_but_not_beyond_the_margin_fails(self):
        found = holdout(metric(margin=0.08), wrong_on(0, 100), wrong_on(0, 50))
        assert found.verdict is FAIL
        assert "better by at most 0.06" in found.reason

    def test_clearly_worse_fails(self):
        found = holdout(metric(), wrong_on(0, 50), wrong_on(0, 100))
        assert found.verdict is FAIL
        assert "worse by at least 0.03" in found.reason

    def test_a_little_better_is_inconclusive_and_says_how_much_more_would_pass(self):
        found = holdout(metric(), wrong_on(0, 100), wrong_on(80, 168))
        assert found.verdict is INCONCLUSIVE
        assert found.more.startswith("about ")
        assert found.more.endswith("more rows, if the estimate stays (it would then pass)")

    def test_as_many_more_rows_as_it_says_do_decide(self):
        found = holdout(metric(), wrong_on(0, 100), wrong_on(80, 168))
        more = int(found.more.split()[1].replace(",", ""))
        times = (N + more) / N
        again = [np.repeat(one, int(np.ceil(times))) for one in (TRUTH, wrong_on(0, 100), wrong_on(80, 168))]
        assert holdout(metric(), *again[1:], truth=again[0]).verdict is PASS
        fewer = [
            np.repeat(one, max(1, int(times * 0.6))) for one in (TRUTH, wrong_on(0, 100), wrong_on(80, 168))
        ]
        assert holdout(metric(), *fewer[1:], truth=fewer[0]).verdict is INCONCLUSIVE

    def test_an_estimate_on_the_margin_is_decided_by_no_amount_of_data(self):
        found = holdout(metric(), wrong_on(0, 100), wrong_on(50, 150))
        assert found.verdict is INCONCLUSIVE
        assert "no amount of rows would decide" in found.more

    @pytest.mark.parametrize("predicted", [wrong_on(0, 100), np.linspace(0.01, 0.99, N)])
    def test_identical_predictions_are_not_better(self, predicted):
        found = holdout(metric(), predicted, predicted.copy())
        assert found.verdict is FAIL
        assert "predict exactly the same" in found.reason


class TestNonInferior:
    guardrail = metric("guardrail", "non-inferior", 0.02)

    def test_a_little_worse_within_the_margin_passes(self):
        found = holdout(self.guardrail, wrong_on(0, 50), wrong_on(0, 53))
        assert found.verdict is PASS
        assert "Worse by 0.003" in found.reason
        assert "the rule allows worse by 0.02" in found.reason

    def test_worse_by_more_than_the_margin_fails(self):
        assert holdout(self.guardrail, wrong_on(0, 50), wrong_on(0, 120)).verdict is FAIL

    def test_worse_by_about_the_margin_is_inconclusive(self):
        assert holdout(self.guardrail, wrong_on(0, 50), wrong_on(0, 68)).verdict is INCONCLUSIVE

    def test_equal_on_too_few_rows_is_inconclusive(self):
        few = slice(0, 60)
        found = holdout(self.guardrail, TRUTH[few], TRUTH[few], truth=TRUTH[few])
        assert found.verdict is INCONCLUSIVE
        assert "more rows" in found.more

    def test_identical_labels_on_enough_rows_pass(self):
        assert holdout(self.guardrail, wrong_on(0, 50), wrong_on(0, 50)).verdict is PASS

    @pytest.mark.parametrize(
        ("name", "margin"), [("roc_auc", 0.01), ("log_loss", 0.0), ("f1", 0.01), ("mae", 0.0)]
    )
    def test_identical_scores_are_the_same_model_and_pass(self, name, margin):
        scores = np.where(TRUTH == 1, 0.7, 0.3) + np.linspace(-0.25, 0.25, N)
        one = metric(
            "guardrail",
            "non-inferior",
            margin,
            name=name,
            direction="lower" if name in ("log_loss", "mae") else "higher",
        )
        found = holdout(one, scores, scores.copy())
        assert found.verdict is PASS
        assert found.interval.low == found.interval.high == 0

    def test_with_margin_zero_identical_labels_prove_nothing(self):
        found = holdout(metric("guardrail", "non-inferior"), wrong_on(0, 50), wrong_on(0, 50))
        assert found.verdict is INCONCLUSIVE

    def test_with_margin_zero_better_passes(self):
        assert holdout(metric("guardrail", "non-inferior"), wrong_on(0, 100), wrong_on(0, 50)).verdict is PASS

    def test_an_auc_that_differs_nowhere_it_can_see_is_not_certain(self):
        perfect, steeper = TRUTH + 0.0, TRUTH * 2.5 - 0.25
        one = metric("guardrail", "non-inferior", 0.02, name="roc_auc")
        assert holdout(one, perfect, steeper).verdict is PASS
        few = slice(0, 100)
        assert holdout(one, perfect[few], steeper[few], truth=TRUTH[few]).verdict is INCONCLUSIVE

    def test_an_unbounded_metric_on_few_differing_rows_is_inconclusive(self):
        forecast = TRUTH + 0.25
        other = forecast.copy()
        other[:9] += 0.5
        found = holdout(
            metric("guardrail", "non-inferior", 0.1, name="mae", direction="lower"), forecast, other
        )
        assert found.verdict is INCONCLUSIVE
        assert "differ on only 9 of 1000 rows" in found.reason


class TestLowerIsBetter:
    one = metric(name="mae", direction="lower")
    small, large = (TRUTH + scale * np.linspace(-1, 1, N) for scale in (0.2, 0.4))

    def test_a_smaller_error_passes_and_is_called_better(self):
        found = holdout(self.one, self.large, self.small)
        assert found.verdict is PASS
        assert found.reason.startswith("Better by 0.1")
        assert found.interval.estimate < 0

    def test_a_larger_error_fails_and_is_called_worse(self):
        found = holdout(self.one, self.small, self.large)
        assert found.verdict is FAIL
        assert found.reason.startswith("Worse by 0.1")

    def test_a_slightly_smaller_error_would_pass_with_more_rows(self):
        noise = np.random.default_rng(0).normal(size=(2, N))
        found = holdout(self.one, TRUTH + noise[0], TRUTH + 0.97 * noise[1])
        other = holdout(self.one, TRUTH + 0.97 * noise[1], TRUTH + noise[0])
        assert {found.verdict, other.verdict} == {INCONCLUSIVE}
        better, worse = (found, other) if found.reason.startswith("Better") else (other, found)
        assert "then pass" in better.more
        assert "then fail" in worse.more


class TestThreshold:
    def test_it_is_met_at_the_very_value(self):
        found = holdout(metric(threshold=0.95), None, wrong_on(0, 50))
        assert found.verdict is PASS
        assert found.reason == "0.95 meets the threshold 0.95."
        assert found.rule == ""

    def test_missing_it_fails_though_better_than_the_champion(self):
        found = holdout(metric(threshold=0.96), wrong_on(0, 100), wrong_on(0, 50))
        assert found.verdict is FAIL
        assert "0.95 misses the threshold 0.96." in found.reason
        assert "Better by 0.05" in found.reason
        assert found.interval is not None

    def test_a_lower_is_better_threshold_is_a_ceiling(self):
        one = metric(name="mae", direction="lower", threshold=0.3)
        assert holdout(one, None, TRUTH + 0.2).verdict is PASS
        assert holdout(one, None, TRUTH + 0.4).verdict is FAIL

    def test_the_first_champion_without_a_threshold_passes(self):
        found = holdout(metric(), None, wrong_on(0, 50))
        assert found.verdict is PASS
        assert "no champion" in found.reason

    def test_a_threshold_metric_is_not_compared(self):
        found = holdout(metric("threshold", threshold=0.9), TRUTH, wrong_on(0, 50))
        assert found.verdict is PASS
        assert found.interval is None
        assert found.champion == 1.0

    def test_a_threshold_metric_does_not_need_a_working_champion(self):
        found = holdout(metric("threshold", threshold=0.9), np.full(N, np.nan), wrong_on(0, 50))
        assert found.verdict is PASS
        assert found.champion is None


class TestOddInput:
    broken = np.where(np.arange(N) == 3, np.nan, 0.5)

    def test_a_challenger_that_predicts_nan_fails(self):
        found = holdout(metric(), wrong_on(0, 9), self.broken)
        assert found.verdict is FAIL
        assert found.reason == "Challenger: 1 of 1000 predicted values are NaN or infinite."
        assert found.challenger is None

    def test_a_champion_that_predicts_nan_is_inconclusive_with_the_challengers_value(self):
        found = holdout(metric(), self.broken, wrong_on(0, 50))
        assert found.verdict is INCONCLUSIVE
        assert found.reason.startswith("Champion: 1 of 1000")
        assert found.challenger == 0.95
        assert found.more

    def test_a_missed_threshold_outweighs_a_broken_champion(self):
        assert holdout(metric(threshold=0.99), self.broken, wrong_on(0, 50)).verdict is FAIL

    def test_a_wrong_count_is_the_fault_of_whose_it_is(self):
        assert holdout(metric(), TRUTH, TRUTH[:-1]).verdict is FAIL
        assert holdout(metric(), TRUTH[:-1], TRUTH).verdict is INCONCLUSIVE

    @pytest.mark.parametrize(
        ("one", "truth"),
        [
            (metric(name="gini"), TRUTH),
            (metric(name="roc_auc"), np.ones(N)),
            (metric(function="no.such:metric"), TRUTH),
        ],
    )
    def test_policy_and_holdout_at_fault_are_inconclusive(self, one, truth):
        found = holdout(one, TRUTH, TRUTH, truth=truth)
        assert found.verdict is INCONCLUSIVE
        assert found.more

    def test_an_empty_holdout_is_inconclusive(self):
        assert holdout(metric(), TRUTH[:0], TRUTH[:0], truth=TRUTH[:0]).verdict is INCONCLUSIVE

    def test_too_few_rows_for_a_mean_say_how_many_more(self):
        few = slice(0, 12)
        found = holdout(metric(name="mae", direction="lower"), TRUTH[few] + 0.1, TRUTH[few] + 0.2, TRUTH[few])
        assert found.verdict is INCONCLUSIVE
        assert found.more == "at least 18 more rows"

    def test_the_function_names_the_metric_and_the_name_is_for_people(self):
        found = holdout(metric(name="quality", function="accuracy"), wrong_on(0, 100), wrong_on(0, 50))
        assert (found.name, found.challenger) == ("quality", 0.95)

    def test_a_result_is_plain_data(self):
        found = holdout(metric(threshold=0.5), wrong_on(0, 100), wrong_on(0, 50))
        assert json.loads(json.dumps(found.as_dict()))["verdict"] == "pass"


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    edge=st.floats(-0.5, 0.5),
    rule=st.sampled_from(["superior", "non-inferior"]),
    margin=st.floats(0, 0.1),
)
def test_higher_and_lower_are_mirror_images(seed, edge, rule, margin):
    """mae with lower as better is judged like its negative with higher as better."""
    random = np.random.default_rng(seed)
    truth, noise = random.normal(size=80), random.normal(size=(2, 80))
    champion, challenger = truth + noise[0], truth + (1 - edge) * noise[1]
    lower = Metric("mae", "lower", "primary", rule, margin)
    higher = Metric("less", "higher", "primary", rule, margin, function=f"{__name__}:negative_mae")
    one = judge_holdout(lower, truth, champion, challenger, 0.05, 0)
    # A user metric takes the bootstrap, so only clear cases must agree; the values always mirror.
    other = judge_holdout(higher, truth, champion, challenger, 0.05, 0)
    assert one.challenger == pytest.approx(-other.challenger)
    assert {one.verdict, other.verdict} != {PASS, FAIL}


def negative_mae(true, predicted) -> float:
    return -float(np.abs(true - predicted).mean())


class TestOutcomes:
    better = Business("conversion", "higher", "primary", "superior", source="outcomes")

    def arm(self, n: int, share: float) -> np.ndarray:
        return (np.arange(n) < round(share * n)).astype(float)

    def test_clearly_better_passes_and_clearly_worse_fails(self):
        low, high = self.arm(20_000, 0.5), self.arm(4000, 0.6)
        assert judge_outcomes(self.better, low, high, 0.05).verdict is PASS
        assert judge_outcomes(self.better, high, low, 0.05).verdict is FAIL

    def test_more_outcomes_are_asked_for_in_plenty(self):
        found = judge_outcomes(self.better, self.arm(2000, 0.5), self.arm(400, 0.55), 0.05)
        assert found.verdict is INCONCLUSIVE
        assert "more outcomes, if the estimate stays (it would then pass)" in found.more
        more = int(found.more.split()[1].replace(",", ""))
        times = 1 + more / 2400
        again = judge_outcomes(
            self.better, self.arm(int(2000 * times), 0.5), self.arm(int(400 * times), 0.55), 0.05
        )
        assert again.verdict is PASS

    def test_lower_is_better_for_errors(self):
        errors = Business("errors", "lower", "guardrail", "non-inferior", 0.02, source="outcomes")
        assert judge_outcomes(errors, self.arm(20_000, 0.3), self.arm(9000, 0.2), 0.05).verdict is PASS
        assert judge_outcomes(errors, self.arm(20_000, 0.2), self.arm(9000, 0.3), 0.05).verdict is FAIL

    @pytest.mark.parametrize("count", [0, 99])
    def test_too_few_outcomes_are_inconclusive_even_if_they_miss_the_threshold(self, count):
        one = Business("conversion", "higher", "primary", "superior", threshold=0.9, source="outcomes")
        found = judge_outcomes(one, self.arm(5000, 0.5), self.arm(count, 0.1), 0.05)
        assert found.verdict is INCONCLUSIVE
        assert f"at least {100 - count} more outcomes" in found.more

    def test_without_a_champion_the_threshold_alone_decides(self):
        one = Business("conversion", "higher", "primary", "superior", threshold=0.4, source="outcomes")
        assert judge_outcomes(one, None, self.arm(500, 0.5), 0.05).verdict is PASS
        assert judge_outcomes(one, None, self.arm(500, 0.3), 0.05).verdict is FAIL

    def test_nan_outcomes_are_inconclusive(self):
        found = judge_outcomes(self.better, self.arm(500, 0.5), [*self.arm(500, 0.5), float("nan")], 0.05)
        assert found.verdict is INCONCLUSIVE
        assert "1 outcomes of the challenger are NaN" in found.reason


class TestRun:
    one = Business("cost", "lower", "threshold", threshold=3.0, source="run", metric="cost_per_call")

    @pytest.mark.parametrize(
        ("value", "verdict", "says"),
        [
            (2.5, PASS, "2.5 meets the threshold 3."),
            (3.5, FAIL, "3.5 misses the threshold 3."),
            (None, INCONCLUSIVE, "no metric 'cost_per_call'"),
            (float("nan"), FAIL, "cost_per_call is nan"),
            (float("inf"), FAIL, "cost_per_call is inf"),
        ],
    )
    def test_a_number_on_the_run_is_held_against_its_threshold(self, value, verdict, says):
        found = judge_run(self.one, value, 2.0)
        assert found.verdict is verdict
        assert says in found.reason

    def test_the_champions_number_is_only_shown(self):
        assert judge_run(self.one, 2.5, 1.0).champion == 1.0
        assert judge_run(self.one, 2.5, float("nan")).champion is None


def test_the_alpha_of_all_looks_adds_up_to_alpha_at_most():
    spent = [spend(0.05, look) for look in range(1, 2000)]
    assert spent[:3] == pytest.approx([0.025, 0.05 / 6, 0.05 / 12])
    assert 0.0499 < sum(spent) <= 0.05


def test_looks_are_counted_from_one():
    with pytest.raises(ValueError, match="from 1"):
        spend(0.05, 0)
