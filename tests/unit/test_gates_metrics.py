"""What a model returned becomes labels, scores and values like scikit-learn's; odd input has a sentence."""

from __future__ import annotations

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

from mlflowctl.registry.gates import metrics, predictions
from mlflowctl.registry.gates.truth import NoValue, truth_of

RANDOM = np.random.default_rng(11)
N = 250
TRUTH = RANDOM.integers(0, 2, N)
SCORES = np.round(np.clip(0.35 + 0.3 * TRUTH + 0.25 * RANDOM.normal(size=N), 0.01, 0.99), 2)  # with ties
LABELS = (SCORES > 0.5).astype(int)
THREE = RANDOM.integers(0, 3, N)
GUESSES = np.where(RANDOM.random(N) < 0.7, THREE, RANDOM.integers(0, 3, N))
NUMBERS = RANDOM.normal(size=N)
FORECAST = NUMBERS + 0.4 * RANDOM.normal(size=N)


@pytest.mark.parametrize(
    ("name", "truth", "predicted", "expected"),
    [
        ("accuracy", TRUTH, LABELS, sk.accuracy_score(TRUTH, LABELS)),
        ("balanced_accuracy", TRUTH, LABELS, sk.balanced_accuracy_score(TRUTH, LABELS)),
        ("f1", TRUTH, LABELS, sk.f1_score(TRUTH, LABELS)),
        ("precision", TRUTH, LABELS, sk.precision_score(TRUTH, LABELS)),
        ("recall", TRUTH, LABELS, sk.recall_score(TRUTH, LABELS)),
        ("accuracy", THREE, GUESSES, sk.accuracy_score(THREE, GUESSES)),
        ("balanced_accuracy", THREE, GUESSES, sk.balanced_accuracy_score(THREE, GUESSES)),
        ("f1", THREE, GUESSES, sk.f1_score(THREE, GUESSES, average="macro")),
        ("precision", THREE, GUESSES, sk.precision_score(THREE, GUESSES, average="macro")),
        ("recall", THREE, GUESSES, sk.recall_score(THREE, GUESSES, average="macro")),
        ("roc_auc", TRUTH, SCORES, sk.roc_auc_score(TRUTH, SCORES)),
        ("roc_auc", TRUTH, 100 * SCORES - 7, sk.roc_auc_score(TRUTH, SCORES)),
        ("average_precision", TRUTH, SCORES, sk.average_precision_score(TRUTH, SCORES)),
        ("log_loss", TRUTH, SCORES, sk.log_loss(TRUTH, SCORES)),
        ("brier", TRUTH, SCORES, sk.brier_score_loss(TRUTH, SCORES)),
        ("mae", NUMBERS, FORECAST, sk.mean_absolute_error(NUMBERS, FORECAST)),
        ("mse", NUMBERS, FORECAST, sk.mean_squared_error(NUMBERS, FORECAST)),
        ("rmse", NUMBERS, FORECAST, sk.root_mean_squared_error(NUMBERS, FORECAST)),
        ("r2", NUMBERS, FORECAST, sk.r2_score(NUMBERS, FORECAST)),
        ("sklearn.metrics:max_error", NUMBERS, FORECAST, sk.max_error(NUMBERS, FORECAST)),
    ],
)
def test_every_metric_equals_scikit_learns(name, truth, predicted, expected):
    assert metrics.value(name, predicted, truth_of(truth)) == pytest.approx(expected, rel=1e-9)


def test_every_metric_is_in_the_comparison_above():
    assert len(metrics.METRICS) == 13
    assert set(metrics.METRICS) == {
        *("accuracy", "balanced_accuracy", "f1", "precision", "recall", "roc_auc", "average_precision"),
        *("log_loss", "brier", "mae", "mse", "rmse", "r2"),
    }


def test_log_loss_of_three_classes_equals_scikit_learns():
    table = RANDOM.dirichlet((1, 1, 1), size=N)
    assert metrics.value("log_loss", table, truth_of(THREE)) == pytest.approx(sk.log_loss(THREE, table))


def test_a_certain_and_wrong_probability_costs_as_much_as_in_scikit_learn():
    truth, certain = np.array([0, 1, 1]), np.array([1.0, 0.5, 1.0])
    assert metrics.value("log_loss", certain, truth_of(truth)) == pytest.approx(sk.log_loss(truth, certain))


class TestReadingPredictions:
    def codes(self, truth, predicted):
        return predictions.labels(predicted, truth_of(truth)).tolist()

    def test_the_most_probable_column_is_the_label_of_that_class_in_sorted_order(self):
        table = np.array([[0.1, 0.7, 0.2], [0.8, 0.1, 0.1], [0.0, 0.4, 0.6]])
        assert self.codes(["b", "a", "c"], table) == [1, 0, 2]

    def test_a_fraction_is_a_score_and_one_half_is_not_yet_the_second_class(self):
        assert self.codes([0, 1, 1], [0.2, 0.5, 0.51]) == [0, 0, 1]

    def test_scores_also_speak_of_text_classes(self):
        assert self.codes(["no", "yes", "no"], [0.2, 0.9, 0.7]) == [0, 1, 1]

    def test_text_labels_are_matched_by_their_text(self):
        truth = pd.Series(["cat", "dog", "cat"])
        assert self.codes(truth, pd.Series(["cat", "cat", "cow"]).to_numpy()) == [0, 0, -1]

    def test_booleans_floats_and_integers_are_the_same_labels(self):
        assert self.codes([True, False], np.array([1.0, 0.0])) == [1, 0]
        assert self.codes([1.0, 2.0, 3.0], np.array([3, 2, 1])) == [2, 1, 0]

    def test_one_column_is_as_good_as_a_row_of_numbers(self):
        assert self.codes([0, 1], np.array([[0.2], [0.8]])) == [0, 1]

    def test_columns_of_numbered_classes_may_outnumber_those_in_the_holdout(self):
        table = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
        assert self.codes([2, 0, 2], table) == [1, 0, -1]

    def test_the_score_of_two_columns_is_the_second(self):
        table = np.stack([1 - SCORES, SCORES], axis=1)
        assert predictions.scores(table, truth_of(TRUTH), "roc_auc").tolist() == SCORES.tolist()

    def test_decimals_from_parquet_are_numbers(self):
        assert truth_of(np.array([Decimal("1.5"), Decimal("2")], dtype=object)).numeric

    def test_one_class_of_zero_and_one_still_knows_the_other(self):
        assert metrics.value("accuracy", [0.2, 0.9], truth_of([1, 1])) == 0.5


NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "truth", "predicted", "fault", "says"),
    [
        ("accuracy", [], [], "setup", "no rows"),
        ("accuracy", [0, None, 1], [0, 1, 1], "setup", "missing or not finite in 1 of 3"),
        ("mae", [0.5, NAN], [0.5, 1], "setup", "missing or not finite in 1 of 2"),
        ("accuracy", [0, 1], [0, 1, 1], "model", "3 predictions for 2 rows"),
        ("accuracy", [0, 1], np.zeros((2, 2, 2)), "model", "shape (2, 2, 2)"),
        ("accuracy", [0, 1], 7.0, "model", "shape ()"),
        ("accuracy", [0, 1], [NAN, 1.0], "model", "1 of 2 predicted values are NaN or infinite"),
        ("mae", [0.5, 1], [float("inf"), 1.0], "model", "NaN or infinite"),
        ("accuracy", ["a", "b"], ["a", None], "model", "1 of 2 predictions are missing"),
        ("accuracy", ["a", "b"], [0, 1], "model", "None of the predicted labels occurs"),
        ("accuracy", [0, 1], ["a", "b"], "model", "None of the predicted labels occurs"),
        ("accuracy", [0, 1], [1.7, -0.3], "model", "neither labels nor scores"),
        ("accuracy", [0, 1, 2], [0.2, 0.5, 0.9], "model", "neither labels nor scores"),
        ("accuracy", ["a", "b"], np.full((2, 3), 1 / 3), "setup", "3 columns, but the truth holds 2 classes"),
        ("accuracy", [0, 1, 2], np.full((3, 2), 1 / 2), "model", "2 columns, but the truth holds 3 classes"),
        ("roc_auc", [1, 1], [0.2, 0.4], "setup", "only one class"),
        ("average_precision", ["a", "a"], [0.2, 0.4], "setup", "only one class"),
        ("roc_auc", [0, 1, 2], [0.2, 0.4, 0.1], "setup", "3 classes"),
        ("roc_auc", [0, 1], ["a", "b"], "model", "text where this metric needs numbers"),
        ("roc_auc", [0, 1], np.full((2, 3), 1 / 3), "model", "3 columns for two classes"),
        ("log_loss", [0, 1], [0, 1], "model", "returned labels"),
        ("log_loss", [0, 1], [-0.1, 0.4], "model", "not between 0 and 1"),
        ("log_loss", [0, 1], [[0.2, 0.2], [0.5, 0.5]], "model", "add up to 1"),
        ("brier", [0, 1], [1.2, 0.4], "model", "not between 0 and 1"),
        ("r2", [2.0, 2.0], [1.0, 2.0], "setup", "not defined"),
        ("mae", ["a", "b"], [1.0, 2.0], "setup", "The truth is text"),
        ("mae", [1.0, 2.0], np.zeros((2, 2)), "model", "2 columns where one number is meant"),
        ("gini", [0, 1], [0, 1], "setup", "no metric 'gini'"),
        ("no.such.module:f", [0, 1], [0, 1], "setup", "cannot be imported"),
        ("sklearn.metrics:nothing", [0, 1], [0, 1], "setup", "cannot be imported"),
        ("sklearn:__version__", [0, 1], [0, 1], "setup", "is not a function"),
        (f"{__name__}:raising", [0, 1], [0, 1], "setup", "raised ZeroDivisionError"),
        (f"{__name__}:leaving", [0, 1], [0, 1], "setup", "raised SystemExit"),
        (f"{__name__}:wordy", [0, 1], [0, 1], "setup", "raised ValueError"),
        (f"{__name__}:undefined", [0, 1], [0, 1], "model", "returned nan"),
        (f"{__name__}:undefined", [0, 1], [0, NAN], "model", "NaN or infinite"),
    ],
)
def test_what_has_no_value_says_why_and_whose_fault_it_is(name, truth, predicted, fault, says):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NoValue) as told:
            metrics.value(name, predicted, truth_of(truth))
    assert says in told.value.what
    assert told.value.fault == fault


def raising(true, predicted) -> float:
    return 1 / 0


def leaving(true, predicted) -> float:
    raise SystemExit(3)


def wordy(true, predicted) -> str:
    return "quite good"


def undefined(true, predicted) -> float:
    return NAN
