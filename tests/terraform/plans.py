"""Plans of the example environments without any state, and the inventory that they are compared with.

After a change that is meant: ``python -m tests.terraform.plans`` writes the inventory anew; its difference
is what to review.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.terraform.checkout import Checkout
from tests.terraform.emulator import Emulator, emulator
from tests.terraform.terraform_cli import terraform

INVENTORY = Path(__file__).parent / "inventory"
EXAMPLES = ("dev", "prod")
GROUP = "terraform-plans"  # tests of one worker share the plans of the examples
ZONE = "Z0123456789ABCDEFGHIJ"  # in prod.tfvars


@dataclass(frozen=True)
class Examples:
    """The example environments, planned.

    Attributes:
        folder: where the plan files lie, each named after its environment.
        documents: environment → its plan, as Terraform describes it.
    """

    folder: Path
    documents: dict[str, dict[str, Any]]


def examples(folder: Path) -> Examples:
    """Plan every example in a folder, on an emulator that ends with it."""
    with emulator() as aws:
        made = checkout(folder, aws)
        return Examples(made.folder / "infra" / "aws", {one: plan(made, one) for one in EXAMPLES})


def checkout(folder: Path, aws: Emulator) -> Checkout:
    """A checkout whose environments keep their state in a file, so that a plan needs no bucket."""
    made = Checkout.at(folder, aws)
    override = made.folder / "infra" / "aws" / "backend_override.tf"
    override.write_text('terraform {\n  backend "local" {}\n}\n')
    return made


def initialise(made: Checkout, environment: str) -> Path:
    """``terraform init`` where ``mlflowctl cloud`` looks for it; returns that folder."""
    data = made.folder / "infra" / "aws" / ".terraform" / "environments" / environment
    terraform(
        made.folder / "infra" / "aws",
        "init",
        "-lockfile=readonly",
        env=made.aws.environment() | {"TF_DATA_DIR": str(data)},
    )
    return data


def plan(made: Checkout, example: str) -> dict[str, Any]:
    """The plan of an example environment, as Terraform describes it."""
    folder = made.folder / "infra" / "aws"
    env = made.aws.environment() | {"TF_DATA_DIR": str(initialise(made, example))}
    zone = made.aws.client("route53").create_hosted_zone(Name="example.com", CallerReference=example)
    file = folder / "envs" / f"{example}.tfvars"
    file.write_text(file.read_text().replace(ZONE, zone["HostedZone"]["Id"].split("/")[-1]))
    terraform(folder, "plan", f"-out={example}.tfplan", f"-var-file=envs/{example}.tfvars", env=env)
    document: dict[str, Any] = json.loads(
        terraform(folder, "show", "-json", f"{example}.tfplan", env=env).stdout
    )
    return document


def inventory(document: dict[str, Any]) -> list[str]:
    """What a plan creates: every address, and of what costs or protects also how large and how safe."""
    return sorted(_lines(one for one in document["resource_changes"] if one["mode"] == "managed"))


NOTED = {
    "aws_db_instance": (
        "instance_class", "multi_az", "allocated_storage", "max_allocated_storage", "backup_retention_period",
        "deletion_protection", "storage_encrypted", "publicly_accessible", "skip_final_snapshot",
        "engine_version",
    ),
    "aws_ecs_task_definition": ("cpu", "memory"),
    "aws_ecs_service": ("desired_count",),
    "aws_appautoscaling_target": ("min_capacity", "max_capacity"),
    "aws_lb": ("internal",),
    "aws_lb_listener": ("port", "protocol"),
    "aws_s3_bucket": ("bucket", "force_destroy"),
    "aws_subnet": ("cidr_block", "availability_zone"),
    "aws_vpc_security_group_ingress_rule": ("from_port", "to_port", "ip_protocol", "cidr_ipv4"),
    "aws_vpc_security_group_egress_rule": ("from_port", "to_port", "ip_protocol", "cidr_ipv4"),
}  # fmt: skip


def _lines(resources: Iterable[dict[str, Any]]) -> Iterable[str]:
    for one in resources:
        after = one["change"]["after"] or {}
        notes = [f"{name}={json.dumps(after.get(name))}" for name in NOTED.get(one["type"], ())]
        yield " ".join([f"{'/'.join(one['change']['actions'])} {one['address']}", *notes])


def committed(example: str) -> list[str]:
    return (INVENTORY / f"{example}.txt").read_text().splitlines()


def main() -> None:
    """Write the inventory anew."""
    INVENTORY.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for example, document in examples(Path(folder)).documents.items():
            (INVENTORY / f"{example}.txt").write_text("\n".join(inventory(document)) + "\n")


if __name__ == "__main__":
    main()
