"""The tables in the modules' READMEs are those of their files, and every rule about input is tried."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(file.parent for file in (ROOT / "modules").glob("*/variables.tf"))
GENERATOR = ROOT / "modules" / "generate.py"


def test_tables_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nRun: python modules/generate.py"


def test_a_changed_variable_is_noticed(tmp_path: Path) -> None:
    """The generator sees what stands in the files: nothing is left out, whatever its shape."""
    folder = tmp_path / "modules" / "one"
    folder.mkdir(parents=True)
    (tmp_path / "modules" / "generate.py").write_text(GENERATOR.read_text())
    (folder / "variables.tf").write_text(
        'variable "late" {\n  description = "Says \\"hello\\" | more."\n  type = map(object({\n'
        "    first  = string\n    second = optional(number, 3) # why\n"
        "    third  = optional(list(string), [])\n  }))\n"
        '  default = {}\n\n  validation {\n    condition     = true\n    error_message = "No."\n  }\n}\n\n'
        'variable "early" {\n  description = "First."\n  type        = string\n}\n'
    )
    (folder / "outputs.tf").write_text(
        'output "all" {\n  description = "All."\n  value       = var.late\n}\n'
    )
    (folder / "main.tf").write_text('resource "aws_eip" "one" {\n}\n')
    run = [sys.executable, str(tmp_path / "modules" / "generate.py")]
    assert subprocess.run([*run, "--check"], capture_output=True, check=False).returncode == 6
    assert subprocess.run(run, capture_output=True, check=False).returncode == 0
    assert subprocess.run([*run, "--check"], capture_output=True, check=False).returncode == 0
    text = (folder / "README.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [
        "| `early` | First. | `string` | **required** |",
        '| `late` | Says "hello" \\| more. | `map(object({first, second, third}))` | `{}` |',
        "| `all` | All. |",
    ]
    assert "`aws_eip`." in text


@pytest.mark.parametrize("module", MODULES, ids=lambda folder: folder.name)
def test_everything_is_described(module: Path) -> None:
    sys.path.insert(0, str(GENERATOR.parent))
    import generate

    nameless = [
        one.name
        for kind in ("variable", "output")
        for one in generate.blocks(module, kind)
        if not one.description
    ]
    assert not nameless


@pytest.mark.parametrize("module", MODULES, ids=lambda folder: folder.name)
def test_every_rule_has_a_run_that_breaks_it(module: Path) -> None:
    """As many runs expect a variable to fail as it has validations, at least."""
    rules: Counter[str] = Counter()
    for file in module.glob("*.tf"):
        for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}$', file.read_text(), re.M | re.S):
            rules[name] += body.count("\n  validation {")
    tried: Counter[str] = Counter()
    for file in module.glob("tests/*.tftest.hcl"):
        for expected in re.findall(r"expect_failures = \[(.*?)\]", file.read_text(), re.S):
            tried.update(re.findall(r"var\.(\w+)", expected))
    assert not {
        name: f"{count} rules, {tried[name]} runs" for name, count in rules.items() if tried[name] < count
    }
