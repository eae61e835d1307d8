"""network, artifact-store, access: formatted, valid, their own tests, their examples for real, checkov."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.terraform import checkov_cli
from tests.terraform.emulator import Emulator
from tests.terraform.terraform_cli import printed, terraform

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("network", "artifact-store", "access")
# Those of access live in test_access_policies.py, which reads what they make.
EXAMPLES = [
    f"{module}/examples/{folder.name}"
    for module in MODULES
    if module != "access"
    for folder in sorted((ROOT / "modules" / module / "examples").iterdir())
]
# test_life.py makes the same resources with everything else; here they are planned.
PLANNED = ("network/examples/new", "network/examples/no-internet", "artifact-store/examples/new")
# Rules that may be skipped: none about IAM, encryption or exposure.
MAY_BE_SKIPPED = {"CKV_AWS_18", "CKV_AWS_144", "CKV2_AWS_62"}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory, needs_terraform: str) -> Path:
    """A copy of all modules: Terraform leaves files behind."""
    copy = tmp_path_factory.mktemp("copy") / "modules"
    shutil.copytree(ROOT / "modules", copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    return copy


@pytest.mark.parametrize("module", MODULES)
def test_formatted(module: str, needs_terraform: str) -> None:
    terraform(ROOT / "modules" / module, "fmt", "-check", "-recursive", "-diff")


@pytest.mark.parametrize("module", MODULES)
def test_valid_and_its_own_tests_pass(module: str, modules: Path) -> None:
    terraform(modules / module, "init")
    terraform(modules / module, "validate")
    done = terraform(modules / module, "test")
    assert ", 0 failed" in done.stdout, printed(done)


@pytest.fixture(scope="module")
def inputs(aws: Emulator) -> dict[str, dict[str, Any]]:
    """What the examples about existing things are told: the emulator's own VPC, and two buckets."""
    ec2, s3 = aws.client("ec2"), aws.client("s3")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    place = {"LocationConstraint": s3.meta.region_name}
    for bucket in ("our-artifacts", "our-registry"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    return {
        "network/examples/existing": {
            "vpc_id": vpc,
            "private_subnet_ids": [one["SubnetId"] for one in subnets],
        },
        "artifact-store/examples/existing": {
            "artifact_bucket": "our-artifacts",
            "registry_bucket": "our-registry",
        },
    }


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_lives(example: str, modules: Path, aws: Emulator, inputs: dict[str, Any]) -> None:
    """Made, then nothing left to do, then gone, with the real provider; some only planned."""
    folder, env = modules / example, aws.environment()
    (folder / "test.auto.tfvars.json").write_text(json.dumps(inputs.get(example, {})))
    terraform(folder, "init")
    if example in PLANNED:
        terraform(folder, "plan", env=env)
        return
    terraform(folder, "apply", "-auto-approve", env=env)
    try:
        again = terraform(folder, "plan", "-detailed-exitcode", env=env, check=False)
        assert again.returncode == 0, printed(again)
    finally:
        terraform(folder, "destroy", "-auto-approve", env=env)


@pytest.mark.parametrize("module", MODULES)
def test_checkov_finds_nothing(module: str, needs_terraform: str) -> None:
    failed, skipped = checkov_cli.scan(ROOT / "modules" / module)
    assert not failed
    assert {one.check for one in skipped} <= MAY_BE_SKIPPED
    assert not [one for one in skipped if len(one.reason) < 20]
