"""Proof by simulation that the gates keep their promise: ``python -m tests.benchmarks.gates_simulation``.

Every row goes through the real judge. Parts a and b must pass with probability α at most; a rate above it
by more than three Monte-Carlo standard errors ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.benchmarks.gates_cases import ALPHA, Case, cases

FULL, QUICK = (200, 1000, 5000), (200, 1000)
QUICK_SHARE = 0.06
HEADER = "| part | metric and true state | size | gate passes | naive rule passes | plays | holds |"
RULE = "|---|---|---|---|---|---|---|"


@dataclass(frozen=True)
class Rate:
    """How often one case passed."""

    case: Case
    plays: int
    gate: float
    naive: float

    @property
    def error(self) -> float:
        """Standard error of the gate's rate."""
        return math.sqrt(max(self.gate * (1 - self.gate), 1e-9) / self.plays)

    @property
    def broken(self) -> bool:
        """Above α by more than three standard errors that chance has at α."""
        return self.case.bounded and self.gate > ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / self.plays)

    def row(self) -> str:
        holds = ("**no**" if self.broken else "yes") if self.case.bounded else "–"
        gate = f"{100 * self.gate:.1f} ± {100 * self.error:.1f} %"
        return (
            f"| {self.case.part} | {self.case.what} | {self.case.size} | {gate} "
            f"| {100 * self.naive:.0f} % | {self.plays:,} | {holds} |"
        )


def run(case: Case, share: float) -> Rate:
    """Play one case; its random numbers depend on its name alone."""
    plays = max(100, round(case.plays * share))
    random = np.random.default_rng(zlib.crc32(f"{case.what} {case.size}".encode()))
    won = [case.play(random) for _ in range(plays)]
    gate, naive = (sum(one) / plays for one in zip(*won, strict=True))
    return Rate(case, plays, gate, naive)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer plays and sizes, under 40 s")
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    lines, broken = [HEADER, RULE], 0
    for case in cases(QUICK if options.quick else FULL):
        started = time.perf_counter()
        rate = run(case, QUICK_SHARE if options.quick else 1.0)
        broken += rate.broken
        lines.append(rate.row())
        print(f"{time.perf_counter() - started:5.1f} s  {rate.row()}", file=sys.stderr, flush=True)
    lines += ["", _footer(time.perf_counter() - began)]
    print("\n".join(lines))
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if broken else 0


def _footer(seconds: float) -> str:
    today = datetime.now(UTC).date().isoformat()
    return (
        f"{today}, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, {seconds:.0f} s. α = {ALPHA}; ± one Monte-Carlo standard error."
    )


if __name__ == "__main__":
    sys.exit(main())
