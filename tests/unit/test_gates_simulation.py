"""The gates' error rates, by the short run of the simulation that docs/gates.md reports. Seeds are fixed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_no_gate_passes_what_it_must_not_more_often_than_it_says():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gates_simulation", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
