"""What a verdict on many recorded requests costs: time, and memory, which must not grow with the traffic.

Run as ``python -m tests.benchmarks.live_verdict [--requests N] [--out FILE]``, some ten minutes with the
default of 10 million: records are made once, as files that stand for the bucket's objects, then each subject
reads them in a process of its own. The reference loads the same records and outcomes with pandas and sums
them up for the same judgement. The table goes between the live markers of the file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlflowctl.live.evidence import Evidence, gather, judge
from mlflowctl.live.histogram import EDGES, Histogram
from mlflowctl.live.sums import Counts, Moments
from mlflowctl.live.tally import Arm, OutcomeNotes, StepTally
from mlflowctl.registry.live_policy import ERROR_RATE, Live, LiveMetric
from mlflowctl.serving.records import prefix
from tests.benchmarks.live_records import BEGAN, CHALLENGER, CHAMPION, CONVERTED, MODEL, STEPS, Folder, make
from tests.benchmarks.machine import describe

BEGIN, END = "<!-- live: begin -->", "<!-- live: end -->"
LATENCY = LiveMetric("latency p95", "lower", "guardrail", margin=50.0, source="latency", quantile=0.95)
SALES = LiveMetric(
    "conversion", "higher", "guardrail", margin=0.01, source="outcomes", data="outcomes/", bounds=(0.0, 1.0)
)
PLAIN = Live(metrics=(ERROR_RATE, LATENCY))
JOINED = Live(metrics=(ERROR_RATE, LATENCY, SALES))
SUBJECTS = {
    "errors and latency": PLAIN,
    "errors, latency, outcomes": JOINED,
    "errors, latency, outcomes; sticky": replace(JOINED, sticky=True),
}
PANDAS = "pandas, all at once"


def ours(root: Path, live: Live) -> dict[str, float]:
    """A first look at everything, then one at nothing new."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=root) as work:
        found = _look(root, live, None, Path(work))
        verdict = judge(found, live, 0.05)
        first = time.perf_counter() - began
        began = time.perf_counter()
        judge(_look(root, live, found, Path(work), BEGAN + 2e7), live, 0.05)
        again = time.perf_counter() - began
        disk = sum(one.stat().st_size for one in Path(work).rglob("*") if one.is_file())
    return {
        "first": first,
        "again": again,
        "disk": disk / 2**20,
        "kept": len(json.dumps(found.as_dict())) / 2**10,
        **_told(found, live),
        "metrics": len(verdict.results),
    }


def _look(root: Path, live: Live, before: Evidence | None, work: Path, now: float = BEGAN + 1e7) -> Evidence:
    objects: Any = Folder(root)
    return gather(objects, MODEL, STEPS, CHAMPION, CHALLENGER, before, live, str(root), now, work=work)


def reference(root: Path, live: Live) -> dict[str, float]:
    """The same evidence by pandas, with everything in memory."""
    import pandas as pd

    began = time.perf_counter()
    files = sorted((root / prefix(MODEL)).rglob("*.gz"))
    frame = pd.concat([pd.read_json(one, lines=True, dtype=False) for one in files], ignore_index=True)
    sales = pd.concat([pd.read_csv(one) for one in sorted((root / "outcomes").glob("*.csv"))])
    frame = frame.merge(sales, how="left", left_on="request", right_on="request_id")
    frame["value"] = frame["value"].fillna(0.0)
    steps = tuple(
        StepTally(
            number,
            share,
            *(
                _arm(frame[(frame["step"] == number) & (frame["variant"] == name)])
                for name in ("champion", "challenger")
            ),
        )
        for number, share in STEPS.items()
    )
    found = Evidence(CHAMPION, CHALLENGER, steps, outcomes={SALES.name: OutcomeNotes(rows=len(sales))})
    judge(found, live, 0.05)
    return {"first": time.perf_counter() - began, **_told(found, live)}


def _arm(rows: Any) -> Arm:
    histogram = Histogram.of(rows["ms"].to_numpy(dtype=np.float64))
    errors = Counts(len(rows), int((rows["status"] >= 400).sum()))
    return Arm(errors, histogram, {SALES.name: Moments.of(rows["value"].to_numpy())})


def _told(found: Evidence, live: Live) -> dict[str, float]:
    """What must be the same however it was found: the bounds of every metric."""
    told: dict[str, float] = {"requests": float(sum(found.seen))}
    for one in judge(found, live, 0.05).results:
        if one.interval is not None:
            told[f"{one.name} low"], told[f"{one.name} high"] = one.interval.low, one.interval.high
    return told


def measured(root: Path, name: str) -> dict[str, float]:
    """One subject in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.live_verdict", "--subject", name, "--folder", str(root)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def subject(root: Path, name: str) -> dict[str, float]:
    found = reference(root, JOINED) if name == PANDAS else ours(root, SUBJECTS[name])
    return {**found, "peak": _peak()}


def _peak() -> float:
    """Largest resident memory of this process in MB; ``ru_maxrss`` would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def rows(found: dict[str, dict[str, float]]) -> Iterator[tuple[str, ...]]:
    """One line a subject, the reference last."""
    other = found[PANDAS]
    for name, one in found.items():
        mine = name != PANDAS
        yield (
            f"{'ours, ' if mine else ''}{name}",
            f"{one['first']:.0f}",
            f"{one['again']:.1f}" if mine else f"{one['first']:.0f}",
            f"{one['peak']:.0f}",
            f"{one['disk']:.0f}" if mine else "–",
            f"{one['kept']:.0f}" if mine else "–",
            f"{other['first'] / one['first']:.2f}",
            f"{other['peak'] / one['peak']:.1f}",
        )


HEAD = (
    "", "first look, s", "next look, s", "peak memory, MB", "index on disk, MB", "evidence, KB",
    "times faster", "times less memory",
)  # fmt: skip


def main() -> int:
    """Measure, print, and write the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--out", type=Path, help="the Markdown file to write the table into")
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        print(json.dumps(subject(options.folder, options.subject)))
        return 0
    facts = describe()
    with tempfile.TemporaryDirectory(prefix="mlflowctl-bench-") as name:
        root = Path(name)
        _say(f"{options.requests:,} records")
        make(root, options.requests)
        found = {}
        for one in (*SUBJECTS, PANDAS):
            _say(one)
            found[one] = measured(root, one)
            _say(json.dumps({key: round(value, 5) for key, value in found[one].items()}))
    _same(found)
    facts.append(("requests", f"{options.requests:,}, of which {CONVERTED:.0%} have an outcome"))
    text = "\n\n".join((_table(("", ""), facts), _table(HEAD, list(rows(found)))))
    print(text)
    if options.out:
        before, _, rest = options.out.read_text().partition(BEGIN)
        options.out.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")
    return 0


def _same(found: dict[str, dict[str, float]]) -> None:
    """Both ways gave the same bounds, or the comparison is worth nothing."""
    mine, other = found["errors, latency, outcomes"], found[PANDAS]
    for name, value in other.items():
        if name.endswith((" low", " high", "requests")):
            assert abs(mine[name] - value) <= 1e-9 * max(1, abs(value), EDGES[0]), (name, mine[name], value)


def _table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(one) + " |" for one in (head, tuple("---" for _ in head), *lines))


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
