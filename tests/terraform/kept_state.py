"""The state that an earlier release left behind, to plan the present configuration against.

``python -m tests.terraform.kept_state`` records one, by a whole apply on an emulator (three minutes), for a
new release. The files of older releases stay: an upgrade from them is to be tested further on.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.terraform import plans
from tests.terraform.emulator import REGION, Emulator, emulator
from tests.terraform.terraform_cli import terraform

FOLDER = Path(__file__).parent / "fixtures"
NEWEST = FOLDER / "state-release-1.json"
ENVIRONMENT = "kept"
VARIABLES = f"""
environment = "{ENVIRONMENT}"
region      = "{REGION}"
size        = "small"
image       = "IMAGE"
domain_name = "mlflow.example.com"
zone_id     = "ZONE"
alarm_email = "oncall@example.com"
backup      = true
"""


def write_variables(folder: Path, zone: str, image: str) -> Path:
    """The environment's file in a checkout."""
    file = folder / "infra" / "aws" / "envs" / f"{ENVIRONMENT}.tfvars"
    file.write_text(VARIABLES.replace("ZONE", zone).replace("IMAGE", image))
    return file


def resources(state: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The attributes of every managed resource of a kind."""
    return [
        instance["attributes"]
        for resource in state["resources"]
        if resource["type"] == kind and resource["mode"] == "managed"
        for instance in resource["instances"]
    ]


def with_secrets(aws: Emulator, text: str) -> str:
    """Make the secrets of a state in an emulator that knows nothing: a plan reads the admin's password.

    Returns:
        The state with the ARNs that the emulator gave them.
    """
    client = aws.client("secretsmanager")
    for secret in resources(json.loads(text), "aws_secretsmanager_secret"):
        made = client.create_secret(Name=secret["name"], SecretString="made-for-a-test")
        text = text.replace(secret["arn"], made["ARN"])
    return text


def main() -> None:
    """Record the state of a whole apply."""
    with emulator() as aws, tempfile.TemporaryDirectory() as folder:
        made = plans.checkout(Path(folder), aws)
        zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="kept")
        file = write_variables(made.folder, zone["HostedZone"]["Id"].split("/")[-1], "r.example.com/m:1.0.0")
        data = plans.initialise(made, ENVIRONMENT)
        env = aws.environment() | {"TF_DATA_DIR": str(data)}
        root = made.folder / "infra" / "aws"
        terraform(root, "apply", "-auto-approve", "-parallelism=20", f"-var-file={file}", env=env)
        state = json.loads((root / "terraform.tfstate").read_text())
    NEWEST.write_text(json.dumps(state, indent=1) + "\n")


if __name__ == "__main__":
    main()
