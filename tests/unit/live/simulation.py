"""The error rates and the power that docs/live-statistics.md reports.

``python -m tests.unit.live.simulation [--plays N]`` prints the tables; the tests play fewer times.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from tests.unit.live.simulated_latency import latencies, slower
from tests.unit.live.worlds import (
    ALPHA,
    NAIVE_Z,
    Array,
    count,
    crossed,
    ever,
    first,
    naive,
    percent,
    ramp,
    steady,
)

from mlflowctl.live import means, mismatch
from mlflowctl.live.bets import bets, log_wealth
from mlflowctl.live.sums import Moments, Step

Cells = tuple[str, ...]
LIMIT = math.log(1 / ALPHA)


def errors(plays: int) -> Iterator[Cells]:
    """Coverage: how often a bound ever passes the truth, against the textbook interval's."""
    day = [
        (f"error rate 5 %, {100 * worse:g} points worse, share 5 %", steady(40_000, 400, 0.05, 0.05, worse))
        for worse in (0.0, 0.005, 0.01, 0.02)
    ]
    others = [
        ("error rate 1 %, equal, share 1 %", steady(80_000, 400, 0.01, 0.01, 0.0)),
        ("conversion 90 %, equal, share 25 %", steady(40_000, 400, 0.25, 0.9, 0.0)),
        ("drift 2 → 10 %, ramp 1 → 5 → 25 %, equal", ramp(60_000, 300)),
        ("the same, 1 point worse", ramp(60_000, 300, worse=0.01)),
        ("the same, effect drifting from +2 to -2 points", ramp(60_000, 300, swing=0.02)),
        ("error rate 5 %, equal, share 5 % by rotation", steady(40_000, 400, 0.05, 0.05, 0.0, True)),
    ]
    for seed, (name, world) in enumerate(day + others):
        cells, truth = world.play(plays, seed), world.truth()
        found = [ever(crossed(world, cells, truth, side)) for side in (1, -1)]
        textbook = [ever(naive(cells, truth, side)) for side in (1, -1)]
        yield name, percent(found[0]), percent(found[1]), percent(textbook[0]), percent(textbook[1])


def decisions(plays: int) -> Iterator[Cells]:
    """What a guardrail with a margin of 1 point says of challengers that are worse by this and that."""
    for seed, worse in enumerate((0.0, 0.005, 0.01, 0.02)):
        world = steady(200_000, 200, 0.05, 0.05, worse)
        cells = world.play(plays, 100 + seed)
        abort, passes = (crossed(world, cells, 0.01, side, 0.05) for side in (1, -1))
        harm = crossed(world, cells, 0.0, 1, 0.05)
        yield (
            f"{100 * worse:g} points worse",
            percent(ever(passes)),
            percent(ever(abort)),
            percent(ever(harm)),
        )


def power(plays: int) -> Iterator[Cells]:
    """Requests (both variants) until a worse challenger is told apart from an equal one."""
    cases = [(0.01, 0.01, 0.05, 200_000), (0.05, 0.01, 0.05, 800_000), (0.05, 0.02, 0.05, 200_000)]
    cases += [(0.05, 0.01, 0.25, 200_000), (0.05, 0.005, 0.05, 3_200_000), (0.05, 0.01, 0.01, 4_000_000)]
    for seed, (champion, worse, share, requests) in enumerate(cases):
        world = steady(requests, 200, share, champion, worse)
        cells = world.play(plays, 200 + seed)
        told = first(crossed(world, cells, 0.0, 1, champion), world.batch)
        middle, most = np.quantile(told, [0.5, 0.9], method="higher")
        name = f"{100 * champion:g} % → {100 * (champion + worse):g} %, share {100 * share:g} %"
        yield name, count(middle), count(most), count(fixed_size(champion, worse, share))


def fixed_size(champion: float, worse: float, share: float) -> float:
    """Requests that one look at a date fixed beforehand needs for a power of 90 %."""
    rate = champion + worse
    variance = rate * (1 - rate) / share + champion * (1 - champion) / (1 - share)
    return variance * ((NAIVE_Z + 1.2815515655446004) / worse) ** 2


def delayed(plays: int) -> Iterator[Cells]:
    """Conversions of 10 % that become known late: the challenger converts as often, but later.

    Counted once the window of 40 batches is over, and (wrongly) as far as known.
    """
    looks, batch, share, window = 300, 150, 0.05, 40
    random = np.random.default_rng(7)
    requests = steady(looks * batch, looks, share, 0.1, 0.0).play(plays, 7)
    batches = np.diff(requests, axis=1, prepend=0)[:, :, 0, :]
    known = np.zeros((plays, looks, 4))
    for hits, misses, latest in ((0, 1, window), (2, 3, window // 4)):
        known[..., hits + 1] += batches[..., misses] + batches[..., hits]
        for ago in range(latest):
            left = 1 / (latest - ago)  # evenly over the delays
            now = random.binomial(batches[..., hits].astype(int), left)
            batches[..., hits] -= now
            known[:, ago:, hits] += now[:, : looks - ago]
            known[:, ago:, hits + 1] -= now[:, : looks - ago]
    known = np.cumsum(known, axis=1)[:, :, None, :]
    world = steady(looks * batch, looks, share, 0.1, 0.0)
    ripe = np.concatenate([np.zeros_like(requests[:, :window]), requests[:, :-window]], axis=1)
    for name, cells in (("counted when the window is over", ripe), ("counted as far as known", known)):
        yield name, *(percent(ever(crossed(world, cells, 0.0, side, 0.1))) for side in (1, -1))


def bots(plays: int) -> Iterator[Cells]:
    """A bot whose requests all fail and all meet the challenger, as a part of the challenger's traffic."""
    looks, batch, share = 400, 500, 0.05
    for seed, part in enumerate((0.0, 0.01, 0.02, 0.05, 0.2)):
        random = np.random.default_rng(300 + seed)
        world = steady(looks * batch, looks, share, 0.05, 0.0)
        cells = world.play(plays, 400 + seed)
        extra = random.poisson(part / (1 - part) * share * batch, (plays, looks)).cumsum(axis=1)
        cells[:, :, 0, 0] += extra
        evidence = mismatch.log_evidence(
            cells[..., :2].sum(axis=-1), cells[..., 2:].sum(axis=-1), np.array([share])
        )
        refused = evidence >= math.log(1000)
        harmed = crossed(world, cells, 0.0, 1, 0.05)
        fooled = first(harmed, batch) < first(refused, batch)
        cells[:, :, 0, 0] -= extra - np.minimum(extra, 1)
        once = crossed(world, cells, 0.0, 1, 0.05)
        at = count(float(np.median(first(refused, batch))))
        yield (
            f"{100 * part:g} %",
            percent(ever(refused)),
            at,
            percent(float(fooled.mean())),
            percent(ever(once)),
        )


def outcomes(plays: int) -> Iterator[Cells]:
    """Means: how often a bound ever passes the truth. Bounded (exact) and without a bound (asymptotic)."""
    looks, batch, share, at_once = 60, 2000, 0.05, 25
    random = np.random.default_rng(500)
    size = (at_once, looks, batch)

    def paid() -> Array:
        return np.where(random.random(size) < 0.1, random.lognormal(3, 1, size), 0.0)

    kinds = {
        "baskets capped at 100": (lambda: np.minimum(paid(), 100), (0.0, 100.0)),
        "baskets, log-normal, 10 % buy": (paid, None),
        "Pareto with tail 2.5": (lambda: random.pareto(2.5, size), None),
        "Pareto with tail 1.5 (no variance)": (lambda: random.pareto(1.5, size), None),
    }
    for name, (draw, bounds) in kinds.items():
        wrong = [missed(draw(), random.random(size) < share, share, bounds) for _ in range(plays // at_once)]
        yield name, "exact" if bounds else "asymptotic", *(percent(one) for one in np.mean(wrong, axis=0))


def missed(
    values: Array,
    new: npt.NDArray[np.bool_],
    share: float,
    bounds: tuple[float, float] | None,
) -> tuple[float, float]:
    """How often each bound ever passes the truth, which is 0; shapes (plays, looks, requests)."""
    sums = [
        np.cumsum((values**power * arm).sum(axis=-1), axis=1) for arm in (new, ~new) for power in (0, 1, 2, 3)
    ]
    if bounds is not None:
        most = bounds[1]
        stats = np.stack([sums[i] / most ** (i % 4) for i in (0, 1, 2, 4, 5, 6)], axis=-1)[:, :, None, :]
        information = stats[..., 0, 0] + stats[..., 0, 3]
        family, shares = bets(), np.array([share])
        wealth = [
            log_wealth(means.grown(stats, shares, family, side), family, information * share * (1 - share), 0)
            for side in (1, -1)
        ]
        return ever(wealth[0] >= LIMIT), ever(wealth[1] >= LIMIT)
    below, above = np.zeros(sums[0].shape, bool), np.zeros(sums[0].shape, bool)
    for play, look in np.ndindex(sums[0].shape):
        arms = [_moments(*(one[play, look] for one in sums[at : at + 4])) for at in (0, 4)]
        found = means.unbounded_difference([Step(1, share, arms[1], arms[0])], ALPHA)
        if found is not None:
            below[play, look], above[play, look] = found.low > 0, found.high < 0
    return ever(below), ever(above)


def _moments(seen: float, total: float, squares: float, cubes: float) -> Moments:
    mean = total / max(seen, 1)
    third = cubes - 3 * mean * squares + 2 * seen * mean**3
    return Moments(int(seen), mean, squares - seen * mean**2, third)


TABLES = {
    "Coverage": (errors, 1, "world | low passes truth | high passes truth | textbook low | textbook high"),
    "Guardrail": (decisions, 1, "true state | passes | aborts | harm (> 0) found"),
    "Power": (power, 1, "rates | requests, median | requests, 90 % of plays | one fixed look, power 90 %"),
    "Delay": (delayed, 1, "outcomes | low passes truth | high passes truth"),
    "Bots": (
        bots,
        1,
        "bot's part | refused | requests until then, median | harm claimed before | … each client once",
    ),
    "Means": (outcomes, 4, "outcome | method | low passes truth | high passes truth"),
    "Latency": (latencies, 5, "quantile | low passes truth | high passes truth"),
    "Slower": (slower, 1, "challenger, share 5 % | by p50 | by p95 | by p99"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plays", type=int, default=2000)
    parser.add_argument("--only", choices=TABLES)
    options = parser.parse_args()
    for name, (play, fewer, head) in TABLES.items():
        if options.only in (None, name):
            started, plays = time.process_time(), options.plays // fewer
            print(f"\n{name} ({plays:,} plays)\n\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
            for row in play(plays):
                print(f"| {' | '.join(row)} |", flush=True)
            print(f"\n{time.process_time() - started:.0f} s")


if __name__ == "__main__":
    main()
