"""infra/aws and infra/state as files: formatted, valid, locked, and without a trick for tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlflowctl.cloud import project
from tests.terraform import checkov_cli
from tests.terraform.checkout import ROOT
from tests.terraform.terraform_cli import terraform

ROOTS = ("aws", "state")
# At most ten skips in all configurations, each with its reason, none about IAM, encryption or exposure.
MAY_BE_SKIPPED = {
    "CKV_AWS_18", "CKV_AWS_91", "CKV_AWS_144", "CKV_AWS_150", "CKV2_AWS_57", "CKV2_AWS_62",
}  # fmt: skip
MOST_SKIPS = 10
# In a module with for_each checkov loses the connection of a target group to its HTTPS listener. Scanned
# alone, that module has no failure (test_serving.py).
LOST_BY_CHECKOV = {("CKV_AWS_378", "module.serving.aws_lb_target_group.model")}


def folder(name: str) -> Path:
    return ROOT / "infra" / name


@pytest.mark.parametrize("name", ROOTS)
def test_it_is_formatted(needs_terraform: str, name: str):
    assert terraform(folder(name), "fmt", "-check", "-recursive", check=False).stdout == ""


@pytest.mark.parametrize("name", ROOTS)
def test_it_is_valid_with_the_providers_of_its_lock_file(needs_terraform: str, tmp_path: Path, name: str):
    env = {"TF_DATA_DIR": str(tmp_path)}
    terraform(folder(name), "init", "-backend=false", "-lockfile=readonly", env=env)
    said = terraform(folder(name), "validate", env=env).stdout
    assert "The configuration is valid." in said


@pytest.mark.parametrize("name", ROOTS)
def test_the_lock_file_names_providers_for_every_platform_of_a_team(name: str):
    lock = (folder(name) / ".terraform.lock.hcl").read_text()
    assert re.findall(r'^provider "(.+)"', lock, re.M) == ["registry.terraform.io/hashicorp/aws"]
    assert 'constraints = ">= 5.100.0, < 7.0.0"' in lock
    assert len(re.findall(r'"h1:', lock)) >= 3
    assert len(re.findall(r'"zh:', lock)) >= 10


@pytest.mark.parametrize("name", ROOTS)
def test_no_file_knows_the_emulator_or_a_machine(name: str):
    files = [one for one in folder(name).rglob("*") if one.suffix in (".tf", ".tfvars", ".hcl", ".md")]
    told = [one for one in files if ".terraform/" not in one.as_posix()]
    assert told
    hooks = r"^\s*endpoints\s*\{|skip_credentials|skip_requesting|s3_use_path_style|127\.0\.0\.1|localhost"
    # Folders that only a machine has: the usual ones, and the one that this checkout stands in, unless every
    # machine has that.
    own = {Path(__file__).resolve().parts[1]} - {"tmp", "var"}
    machine = "|".join(("opt", "home", "root", "srv", "usr", *map(re.escape, own)))
    pattern = f"{hooks}|/(?:{machine})/"
    assert [one.name for one in told if re.search(pattern, one.read_text(), re.M)] == []


@pytest.mark.parametrize("name", ROOTS)
def test_checkov_finds_nothing(name: str):
    failed, skipped = checkov_cli.scan(folder(name))
    assert {(one.check, one.resource) for one in failed} - LOST_BY_CHECKOV == set()
    assert {one.check for one in skipped} <= MAY_BE_SKIPPED


def test_zones_are_named_since_checkov_does_not_look_at_data_with_a_count():
    """A zone in trouble, or a new one, must not move the subnets of a running environment (CKV_AWS_394)."""
    for file in ("infra/aws/main.tf", "modules/network/main.tf"):
        found = re.findall(
            r'^data "aws_availability_zones" "\w+" \{\n(.*?)^\}', (ROOT / file).read_text(), re.M | re.S
        )
        assert len(found) == 1
        assert re.findall(r'name += "(.+)"', found[0]) == ["zone-name"]
        assert "state" not in found[0]


def test_there_are_few_skips_and_each_says_why():
    files = [one for part in ("infra", "modules") for one in (ROOT / part).rglob("*.tf")]
    told = [one.read_text() for one in files if ".terraform/" not in one.as_posix()]
    skips = [skip for text in told for skip in re.findall(r"# ?checkov:skip=(\w+):? ?(.*)", text)]
    assert len(skips) <= MOST_SKIPS
    assert {check for check, _ in skips} <= MAY_BE_SKIPPED
    assert [check for check, reason in skips if len(reason) < 20] == []


def test_an_example_says_what_its_name_says():
    for name in project.names(ROOT):
        values = project.scalars(ROOT / project.ENVIRONMENTS / f"{name}.tfvars")
        assert values["environment"] == name
        assert {"region", "size", "image"} < set(values)
