"""An environment on an emulator, and what its tests look at: ``test_life.py`` tells its story."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflowctl.cloud.planned import STATEFUL
from tests.terraform.checkout import Checkout
from tests.terraform.emulator import ACCOUNT, REGION, Emulator, emulator
from tests.unit import reference

GROUP = "terraform-life"
STATE_BUCKET = f"mlflowctl-state-{ACCOUNT}-{REGION}"
STATE_KEY = "environments/life/terraform.tfstate"
LIFE = f"""
environment         = "life"
region              = "{REGION}"
account_id          = "{ACCOUNT}"
size                = "small"
min_tasks           = 2
max_tasks           = 2
image               = "registry.example.com/mlflowctl:1.0.0"
domain_name         = "mlflow.example.com"
zone_id             = "ZONE"
alarm_email         = "oncall@example.com"
backup              = true
interface_endpoints = ["logs"]
deletion_protection = false
"""


class Life:
    """The environment, and what its secrets were at any time."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.text = ""
        self.secrets: set[str] = set()
        self.plans: list[bytes] = []
        self.made = False

    @property
    def aws(self) -> Emulator:
        return self.checkout.aws

    def write(self, **changed: str) -> None:
        """Change values of the environment's file, as an engineer would."""
        for name, value in changed.items():
            lines = [line for line in self.text.splitlines() if line.split("=")[0].strip() != name]
            self.text = "\n".join([*lines, f"{name} = {value}"]) + "\n"
        self.checkout.environment_file("life", self.text)

    def make(self) -> None:
        """From nothing to a first apply."""
        file = self.checkout.folder / "first.tfplan"
        for command in (["backend"], ["init"], ["plan", "--out", str(file)]):
            self.checkout.done("cloud", *command, "--context", "life")
        self.plans.append(file.read_bytes())
        apply = ("cloud", "apply", "--context", "life", "--plan", str(file), "--yes")
        self.checkout.done(*apply, timeout=800)
        self.current_secrets()
        self.made = True

    def to_do(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and result of ``cloud plan --exit-code``."""
        done = self.checkout.cli("cloud", "plan", "--context", "life", "--exit-code", "--json", *arguments)
        answer = reference.validated("cloud.plan", done.stdout)
        assert answer["result"] is not None, done.stderr
        return done.returncode, answer["result"]

    def state(self) -> dict[str, Any]:
        body = self.aws.client("s3").get_object(Bucket=STATE_BUCKET, Key=STATE_KEY)["Body"].read()
        state: dict[str, Any] = json.loads(body)
        return state

    def current_secrets(self) -> dict[str, str]:
        """ARN → value of every secret that AWS holds now; they are remembered for the scan."""
        client = self.aws.client("secretsmanager")
        arns = [one["ARN"] for one in client.list_secrets()["SecretList"]]
        values = {arn: client.get_secret_value(SecretId=arn)["SecretString"] for arn in arns}
        self.secrets |= set(values.values())
        return values

    def identities(self) -> dict[str, str]:
        """Address → identity of every stateful resource in the state."""
        return {
            f"{one.get('module', '')}.{one['type']}.{one['name']}[{instance.get('index_key', '')}]": str(
                instance["attributes"].get("resource_id") or instance["attributes"]["id"]
            )
            for one in self.state()["resources"]
            if one["mode"] == "managed" and one["type"] in STATEFUL
            for instance in one["instances"]
        }


def begun(folder: Path) -> Iterator[Life]:
    """The environment before its first command."""
    with emulator() as aws:
        story = Life(Checkout.at(folder, aws))
        zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="life")
        story.text = LIFE.replace("ZONE", zone["HostedZone"]["Id"].split("/")[-1])
        story.write()
        yield story


def later(moment: str) -> str:
    """A second later: RDS rounds, the database exists since a fraction of that second."""
    return f"{moment[:-3]}{int(moment[-3:-1]) % 59 + 1:02d}Z"


def left(aws: Emulator) -> dict[str, list[str]]:
    """What still exists of what costs."""
    ecs, databases = aws.client("ecs"), aws.client("rds").describe_db_instances()["DBInstances"]
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    balancers = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return {
        "buckets": [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]],
        "databases": [one["DBInstanceIdentifier"] for one in databases],
        "clusters": [one["clusterName"] for one in clusters if one["status"] == "ACTIVE"],
        "balancers": [one["LoadBalancerName"] for one in balancers],
    }


def unpacked(plan: bytes) -> dict[str, bytes]:
    """The parts of a plan file, which is a zip archive."""
    with zipfile.ZipFile(io.BytesIO(plan)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files(folder: Path) -> list[Path]:
    """Every small file that the commands left in the checkout."""
    return [one for one in folder.rglob("*") if one.is_file() and one.stat().st_size < 10_000_000]
