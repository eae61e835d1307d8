"""The documents of modules/access, as its examples make them on the emulator; once for all tests of them."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.terraform import module_setup
from tests.terraform.emulator import emulator
from tests.terraform.iam_policies import Policy
from tests.terraform.terraform_cli import printed, terraform

ROOT = Path(__file__).resolve().parents[2]
# An example and its variables, by the name of the group.
GROUPS = {
    "proxied": ("roles", []),
    "direct": ("roles", ["-var=direct_artifacts=true"]),
    "deployer": ("deployer", []),
}


@cache
def documents() -> dict[str, dict[str, str]]:
    """Every document, by how artifacts are reached; the deployer's parts under their own heading."""
    with tempfile.TemporaryDirectory() as made, emulator() as aws:
        copy = Path(made) / "access"
        ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(ROOT / "modules/access", copy, ignore=ignored)
        return {
            group: _applied(copy / "examples" / name, more, aws.environment())
            for group, (name, more) in GROUPS.items()
        }


def _applied(folder: Path, variables: list[str], env: dict[str, str]) -> dict[str, str]:
    terraform(folder, "init")
    terraform(folder, "apply", "-auto-approve", *variables, env=env)
    found: dict[str, str] = json.loads(terraform(folder, "output", "-json", "policies", env=env).stdout)
    again = terraform(folder, "plan", "-detailed-exitcode", *variables, env=env, check=False)
    assert again.returncode == 0, printed(again)
    terraform(folder, "destroy", "-auto-approve", *variables, env=env)
    return found


def roles() -> dict[str, dict[str, Policy]]:
    """reader, trainer and promoter, by how artifacts are reached."""
    return {
        mode: {role: Policy.of(text) for role, text in documents()[mode].items()}
        for mode in ("proxied", "direct")
    }


@cache
def task_role() -> Policy:
    """What the server's containers may, as modules/tracking-server plans it for its own tests."""
    found = [
        one["change"]["after"]["policy"]
        for one in module_setup.planned("tracking-server")
        if one["address"] == "aws_iam_role_policy.task"
    ]
    return Policy.of(*found)


def deployer() -> Policy:
    """All parts of the deployer's rights together."""
    return Policy.of(*documents()["deployer"].values())
