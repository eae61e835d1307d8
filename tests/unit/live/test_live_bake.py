"""Baking: intervals of one rate that hold at every look, and the verdict on a new champion."""

from __future__ import annotations

import numpy as np
import pytest

from mlflowctl.live.bake import Bake, counted, judge_bake, rate
from mlflowctl.live.evidence import Evidence
from mlflowctl.live.histogram import Histogram
from mlflowctl.live.sums import Counts
from mlflowctl.live.tally import Arm, StepTally
from mlflowctl.registry.live_policy import Live, LiveMetric
from mlflowctl.registry.verdict import Verdict
from mlflowctl.serving.records import Record

LATENCY = LiveMetric("p95", "lower", "guardrail", margin=20.0, source="latency", quantile=0.95)
BOTH = Live(metrics=(*Live().metrics, LATENCY))


def arm(seen: int, failed: int, ms: float = 10.0) -> Arm:
    return Arm(Counts(seen, failed), Histogram.of(np.full(seen, ms)))


@pytest.mark.parametrize(("truth", "drift"), [(0.05, 0.0), (0.5, 0.0), (0.01, 0.0), (0.1, 0.08)])
def test_a_rate_stays_within_its_bounds_at_every_look(truth, drift):
    """100 plays of 20 looks; each bound may ever fail in 5 % of them, and 14 % would be four errors more."""
    dice, missed = np.random.default_rng(7), np.zeros(2)
    for _ in range(100):
        rates = truth + drift * np.sin(np.arange(4000) / 500)
        happened, mean = np.cumsum(dice.random(4000) < rates), np.cumsum(rates)
        bad = np.zeros(2, dtype=bool)
        for seen in np.geomspace(100, 4000, 20).astype(int):
            low, high = rate(Counts(int(seen), int(happened[seen - 1])), 0.05)
            average = mean[seen - 1] / seen
            bad |= (low > average, high < average)
        missed += bad
    assert (missed / 100 < 0.14).all()


def test_bounds_close_in_and_extremes_are_sane():
    narrow = [rate(Counts(n, n // 100), 0.05) for n in (1000, 10_000, 1_000_000)]
    widths = [high - low for low, high in narrow]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.001
    assert rate(Counts(0, 0), 0.05) == (0.0, 1.0)
    assert rate(Counts(500, 0), 0.05)[0] == 0.0
    assert rate(Counts(500, 500), 0.05)[1] == 1.0


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (arm(5000, 50), Verdict.PASS),
        (arm(5000, 400), Verdict.FAIL),
        (arm(100, 1), Verdict.INCONCLUSIVE),
        (arm(0, 0), Verdict.INCONCLUSIVE),
        (arm(5000, 50, ms=100.0), Verdict.FAIL),  # slower by far more than 20 ms
        (arm(60, 60), Verdict.FAIL),  # a champion that answers nobody is told soon
    ],
)
def test_the_new_champion_against_its_predecessors_records(now, verdict):
    harm, results = judge_bake(arm(20_000, 200), now, BOTH, 0.05)
    assert harm.verdict is verdict
    assert [one.name for one in results] == ["error rate", "p95"]
    assert harm.reason


def test_without_a_predecessors_records_nothing_is_rolled_back():
    harm, _ = judge_bake(Arm(), arm(5000, 5000), BOTH, 0.05)
    assert harm.verdict is Verdict.INCONCLUSIVE
    assert "no record of the predecessor" in harm.reason


def test_only_what_the_version_answered_as_champion_counts():
    rows = [
        Record(1.0, "a", "champion", 2, 9, 200, 5.0),
        Record(1.0, "b", "champion", 2, 9, 503, 5.0),
        Record(1.0, "c", "challenger", 2, 9, 500, 5.0),  # of the test
        Record(1.0, "d", "champion", 1, 9, 500, 5.0),  # its predecessor's
    ]
    assert counted(rows, 2).errors == Counts(2, 1)
    assert counted([], 2) == Arm()


def test_it_begins_where_the_test_was_noted_last_and_survives_a_restart():
    steps = (StepTally(4, 0.1, arm(90, 3), arm(10, 1)), StepTally(6, 0.5, arm(50, 1), arm(50, 9)))
    found = Bake.of(Evidence(1, 2, steps), {"gateway": 7})
    assert (found.before.errors, found.cursor) == (Counts(140, 4), {"gateway": 7})
    assert Bake.load(found.as_dict()) == found
