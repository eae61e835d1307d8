"""secret, database, tracking-server, observability: format, validity, own tests, examples, checkov.

`terraform test` cannot mock ephemeral resources: what becomes of the passwords is looked at in test_life.py.
"""

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
MODULES = ("secret", "database", "tracking-server", "observability")
COMPLETE = "observability/examples/complete"
# test_life.py makes the same resources with everything else: RDS alone takes a minute and a half.
PLANNED = ("database/examples/new", "tracking-server/examples/internal", COMPLETE)
LIVING = ("database/examples/existing", "tracking-server/examples/existing-load-balancer")
# None about IAM, encryption or exposure. Rotation (57) is what password_version does, access
# logs (91) are on demand, and a load balancer (150) may be deleted since it holds nothing.
MAY_BE_SKIPPED = {"CKV2_AWS_57", "CKV_AWS_91", "CKV_AWS_150"}
OF_OTHER_MODULES = {"CKV_AWS_18", "CKV_AWS_144", "CKV2_AWS_62"}  # seen through the examples


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
    """What the examples are told of things that exist: network, load balancer, certificate."""
    ec2, balancing = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    subnets = [one["SubnetId"] for one in found]
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("balancer", "database")
    }
    certificate = aws.client("acm").request_certificate(DomainName="mlflow.example.com")["CertificateArn"]
    balancer = balancing.create_load_balancer(
        Name="shared", Subnets=subnets, SecurityGroups=[groups["balancer"]], Scheme="internal"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    listener = balancing.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]["ListenerArn"]
    return {
        "tracking-server/examples/existing-load-balancer": {
            "vpc_id": vpc,
            "private_subnet_ids": subnets,
            "listener_arn": listener,
            "load_balancer_security_group_id": groups["balancer"],
            "database_security_group_id": groups["database"],
        },
        COMPLETE: {"certificate_arn": certificate},
    }


def given(folder: Path, values: dict[str, Any]) -> None:
    (folder / "test.auto.tfvars.json").write_text(json.dumps(values))


@pytest.mark.parametrize("example", PLANNED)
def test_example_plans(example: str, modules: Path, aws: Emulator, inputs: dict[str, Any]) -> None:
    given(modules / example, inputs.get(example, {}))
    terraform(modules / example, "init")
    terraform(modules / example, "plan", env=aws.environment())


@pytest.mark.parametrize("example", LIVING)
def test_example_lives(example: str, modules: Path, aws: Emulator, inputs: dict[str, Any]) -> None:
    """Made, then nothing left to do, then gone, with the real provider."""
    folder, env = modules / example, aws.environment()
    given(folder, inputs.get(example, {}))
    terraform(folder, "init")
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
    assert {one.check for one in skipped} <= MAY_BE_SKIPPED | OF_OTHER_MODULES
    assert not [one for one in skipped if len(one.reason) < 20]
