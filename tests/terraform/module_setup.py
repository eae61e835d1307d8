"""What a module computes, without an account: its own tests' providers, overrides and variables, run once."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.terraform.terraform_cli import printed, terraform

ROOT = Path(__file__).resolve().parents[2]


def planned(module: str) -> list[dict[str, Any]]:
    """The resource changes of a plan, as Terraform describes them."""
    changes: list[dict[str, Any]] = _run(module, "plan")["resource_changes"]
    return changes


def applied(module: str) -> list[dict[str, Any]]:
    """The resources after an apply with the mocked provider: also what only an apply knows.

    Only for modules whose tests mock the provider.
    """
    resources: list[dict[str, Any]] = _run(module, "apply")["root_module"]["resources"]
    return resources


def _run(module: str, command: str) -> dict[str, Any]:
    kind = {"plan": "test_plan", "apply": "test_state"}[command]
    with tempfile.TemporaryDirectory(prefix="mlflowctl-module-") as made:
        modules = Path(made) / "modules"
        shutil.copytree(ROOT / "modules", modules, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        tests = modules / module / "tests"
        # The setup is what stands before the first run.
        setup = (tests / f"{module.replace('-', '_')}.tftest.hcl").read_text().split('\nrun "')[0]
        (tests / "setup.tftest.hcl").write_text(f'{setup}\nrun "setup" {{\n  command = {command}\n}}\n')
        terraform(modules / module, "init")
        done = terraform(modules / module, "test", "-json", "-verbose", "-filter=tests/setup.tftest.hcl")
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found: list[dict[str, Any]] = [one[kind] for one in messages if one["type"] == kind]
    assert len(found) == 1, printed(done)
    return found[0]
