"""Worlds of latencies for :mod:`tests.unit.live.simulation`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from tests.unit.live.worlds import ALPHA, Array, percent

from mlflowctl.live.histogram import EDGES, Histogram
from mlflowctl.live.quantiles import Latency, quantile_difference

Cells = tuple[str, ...]


def latencies(plays: int) -> Iterator[Cells]:
    """Quantiles of log-normal latencies whose median doubles while the share goes 1 → 5 → 25 %."""
    looks, batch = 12, 4000
    shares = np.repeat([0.01, 0.05, 0.25], looks // 3)
    load = 50 * 2 ** np.linspace(0, 1, looks)
    edges = np.linspace(20, 400, 20_000)
    for level in (0.5, 0.95, 0.99):
        random, wrong = np.random.default_rng(600), np.zeros((plays, 2))
        for play in range(plays):
            steps = {share: Latency(share, Histogram(), Histogram()) for share in (0.01, 0.05, 0.25)}
            for share, median in zip(shares, load, strict=True):
                values = random.lognormal(math.log(median), 0.4, batch)
                new = random.random(batch) < share
                now = steps[share]
                old_histogram = now.champion.plus(Histogram.of(values[~new]))
                new_histogram = now.challenger.plus(Histogram.of(1.1 * values[new]))
                steps[share] = Latency(share, old_histogram, new_histogram)
                seen = shares[: int(np.searchsorted(load, median)) + 1]
                true = 0.1 * _mixed_quantile(edges, load[: seen.size], seen * (1 - seen), level)
                found = quantile_difference(
                    [one for one in steps.values() if one.champion.seen], level, ALPHA
                )
                assert found is not None
                wrong[play] += (found.low > true, found.high < true)
        ever_wrong = (wrong > 0).mean(axis=0)
        yield f"p{100 * level:g}", percent(ever_wrong[0]), percent(ever_wrong[1])


def slower(plays: int) -> Iterator[Cells]:
    """Requests until a challenger that is slower throughout is told apart, from the expected counts."""
    from scipy.stats import norm

    def typical(median: float, requests: float) -> Histogram:
        shares = np.diff(norm.cdf(np.log(EDGES / median) / 0.5), prepend=0.0)
        return Histogram(tuple(enumerate(np.rint(requests * shares).astype(int).tolist())))

    for factor in (1.1, 1.25, 1.5):
        needed = []
        for level in (0.5, 0.95, 0.99):
            for requests in 1000 * 2.0 ** np.arange(0, 14, 0.25):
                step = Latency(0.05, typical(50, 0.95 * requests), typical(50 * factor, 0.05 * requests))
                found = quantile_difference([step], level, ALPHA)
                if found is not None and found.low > 0:
                    break
            needed.append(f"{float(f'{requests:.2g}'):,.0f}")
        yield f"{100 * (factor - 1):g} % slower", *needed


def _mixed_quantile(edges: Array, medians: Array, weights: Array, level: float) -> float:
    """Of a weighted mixture of log-normal latencies, by its distribution function on a fine grid."""
    from scipy.stats import norm

    shares = norm.cdf((np.log(edges)[:, None] - np.log(medians)) / 0.4) @ (weights / weights.sum())
    return float(np.interp(level, shares, edges))
