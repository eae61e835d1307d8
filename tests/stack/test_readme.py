"""Every command line of the README, typed in its order on a stack of the test's own."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack.conftest import clean_environment
from tests.stack.side_by_side import usual_ports_held
from tests.unit import reference

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(?:console|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)$")
NOT_RUN = ("make", "git", "cd", "python", "source")  # of these, only the targets of make are looked at


@dataclass(frozen=True)
class Line:
    """One line that the README tells its reader to type.

    Attributes:
        text: what is typed.
        exits: the exit code that the README promises: 0, or N behind ``# exit N``.
    """

    text: str
    exits: int

    @property
    def program(self) -> str:
        return shlex.split(self.text)[0]


def typed(text: str) -> list[Line]:
    """Every line with a prompt in the blocks of a page, in order."""
    found = []
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                promised = EXIT.search(line)
                found.append(Line(EXIT.sub("", line[2:]), int(promised[1]) if promised else 0))
    return found


def run(line: Line, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Type one line; ``up`` may take other ports, since other tests run beside this one.

    The demo takes minutes, so that it tells programs and people in the same run.
    """
    text = re.sub(r"^(mlflowctl(?: \S+)*? up)\b", r"\1 --auto-ports", line.text)
    text = re.sub(r"^(mlflowctl demo)\b", r"\1 --json", text)
    return subprocess.run(
        ["/bin/sh", "-c", text],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_lines_are_read_with_the_exit_code_that_they_promise():
    page = "```console\n$ mlflowctl up\nsaid\n$ mlflowctl doctor  # exit 6\n```\n```text\n$ rm -r /\n```\n"
    assert typed(page) == [Line("mlflowctl up", 0), Line("mlflowctl doctor", 6)]


def test_every_line_is_of_a_kind_that_these_tests_know():
    unknown = [line.text for line in typed(README) if line.program not in ("mlflowctl", *NOT_RUN)]
    assert unknown == []


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for line in typed(README)
        if line.program == "make"
        for word in shlex.split(line.text)[1:]
        if "=" not in word
    }
    assert named, "the README names no target of make"
    assert named <= targets


@pytest.mark.stack
@pytest.mark.timeout(900)
def test_every_mlflowctl_line_does_what_the_readme_promises(new_stack):
    lines = [line for line in typed(README) if line.program == "mlflowctl"]
    assert lines, "the README has no mlflowctl line to run"
    own = new_stack(start=False)
    environment = clean_environment(MLFLOWCTL_DATA_DIR=str(own.layout.root))
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for line in lines:
        # Only its first `up` chooses a stack's ports.
        with nullcontext() if own.layout.exists() else usual_ports_held():
            done = run(line, environment)
        assert done.returncode == line.exits, f"$ {line.text}\n{done.stdout}{done.stderr}"
        if line.text.startswith("mlflowctl demo"):
            played = reference.validated("demo", done.stdout)["result"]["versions"]
    assert len(played) == 3
