"""Error rates with a look after every batch, in worlds whose truth is known. Seeds are fixed.

The textbook interval plays along: where it stays below alpha, the world would prove nothing.
docs/live-statistics.md has the same with more plays (``python -m tests.unit.live.simulation``).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.unit.live import simulation
from tests.unit.live.worlds import ALPHA, crossed, ever, first, naive, ramp, steady

from mlflowctl.live import mismatch

PLAYS = 200
WORSE = (0, 0.005, 0.01, 0.02)
CASES = {f"{100 * worse:g} points worse": steady(40_000, 200, 0.05, 0.05, worse) for worse in WORSE} | {
    "rare errors at 1 %": steady(80_000, 200, 0.01, 0.01, 0.0),
    "frequent conversions": steady(40_000, 200, 0.25, 0.9, 0.0),
    "drift and ramp": ramp(60_000, 150),
    "drift and ramp, 1 point worse": ramp(60_000, 150, worse=0.01),
    "the effect itself drifts": ramp(60_000, 150, swing=0.02),
    "exact rotation": steady(40_000, 200, 0.05, 0.05, 0.0, rotating=True),
}


def share(text: str) -> float:
    return float(text.removesuffix(" %")) / 100


@pytest.mark.parametrize("name", CASES)
def test_no_bound_passes_the_truth_more_often_than_alpha_and_the_textbook_interval_does(name):
    world = CASES[name]
    cells, truth = world.play(PLAYS, 11), world.truth()
    wrong = [ever(crossed(world, cells, truth, side)) for side in (1, -1)]
    peeked = [ever(naive(cells, truth, side)) for side in (1, -1)]
    assert max(wrong) <= ALPHA
    assert max(peeked) >= 4 * ALPHA


def test_the_guardrail_keeps_both_promises_at_its_margin_and_still_decides():
    at_margin = steady(200_000, 200, 0.05, 0.05, 0.01)
    cells = at_margin.play(PLAYS, 12)
    assert ever(crossed(at_margin, cells, 0.01, 1, 0.05)) <= ALPHA
    assert ever(crossed(at_margin, cells, 0.01, -1, 0.05)) <= ALPHA
    equal, harmful = steady(200_000, 200, 0.05, 0.05, 0.0), steady(200_000, 200, 0.05, 0.05, 0.02)
    assert ever(crossed(equal, equal.play(PLAYS, 13), 0.01, -1, 0.05)) > 0.8
    assert ever(crossed(harmful, harmful.play(PLAYS, 14), 0.01, 1, 0.05)) > 0.75


def test_one_point_worse_at_five_percent_share_is_found_within_twice_the_fixed_sample():
    world = steady(800_000, 200, 0.05, 0.05, 0.01)
    told = first(crossed(world, world.play(PLAYS, 15), 0.0, 1, 0.05), world.batch)
    fixed = simulation.fixed_size(0.05, 0.01, 0.05)
    assert np.median(told) < fixed
    assert np.quantile(told, 0.9) < 2 * fixed


def test_late_outcomes_count_when_their_window_is_over():
    ripe, so_far = simulation.delayed(PLAYS)
    assert max(share(one) for one in ripe[1:]) <= ALPHA
    assert share(so_far[2]) > 0.4, "counting what is known so far takes a later conversion for a lost one"


def test_a_bot_is_refused_when_it_is_a_large_part_and_harmless_when_a_client_counts_once():
    rows = {row[0]: row for row in simulation.bots(100)}
    assert share(rows["0 %"][1]) <= 0.01
    assert share(rows["20 %"][1]) == 1
    assert all(share(row[4]) <= ALPHA + 0.03 for row in rows.values())
    # Stated in the documentation: failing requests of a bot look like harm before they look like a mismatch.
    assert share(rows["5 %"][3]) > 0.9


def test_a_lost_tenth_of_the_challengers_records_is_refused():
    world = steady(200_000, 200, 0.05, 0.05, 0.0)
    batches = np.diff(world.play(PLAYS, 16), axis=1, prepend=0)
    answered, champion = batches[..., :2].sum(axis=-1), batches[..., 2:].sum(axis=-1)
    kept = np.random.default_rng(17).binomial(answered.astype(int), 0.9)
    for challenger, least, most in ((answered, 0, 0.005), (kept, 0.95, 1)):
        sums = (np.cumsum(one, axis=1) for one in (challenger, champion))
        evidence = mismatch.log_evidence(*sums, world.shares)
        assert least <= ever(evidence >= math.log(1000)) <= most


def test_means_of_bounded_outcomes_keep_their_promise():
    name, method, low, high = next(simulation.outcomes(100))
    assert (name, method) == ("baskets capped at 100", "exact")
    assert max(share(low), share(high)) <= ALPHA


def test_quantiles_of_drifting_latency_keep_their_promise():
    for _, low, high in simulation.latencies(10):
        assert max(share(low), share(high)) == 0
