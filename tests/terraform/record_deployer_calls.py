"""Records what Terraform asks of AWS: ``python -m tests.terraform.record_deployer_calls``.

Applies infra/aws on an emulator, changes it, destroys it, and writes each different request (service,
operation, names in it, tags that it gives) to ``deployer_calls.json``. ``test_deployer_calls.py`` holds that
against the deployer's policies. Values other than names and tags are never written. Takes six minutes.

The emulator runs in a process of its own, as ``emulator.py`` starts it, with a recorder in front.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

from tests.terraform.emulator import ACCOUNT, Emulator, emulator
from tests.terraform.terraform_cli import terraform

HERE = Path(__file__)
ROOT = HERE.resolve().parents[2]
RECORDED = HERE.with_name("deployer_calls.json")
COMMAND = "python -m tests.terraform.record_deployer_calls"
SINK = "RECORD_DEPLOYER_CALLS"
ENVIRONMENT = "prod"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/mlflow-boundary"
LOGIN = f"arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:mlflow-reader-a1b2c3"
# Parameters that name things; no other parameter is kept.
NAMES = {
    *("RoleName", "PolicyName", "PolicyArn", "PermissionsBoundary", "AWSServiceName", "Path"),
    *("DBInstanceIdentifier", "DBParameterGroupName", "DBSubnetGroupName", "DBSnapshotIdentifier"),
    *("SecretId", "Name", "AlarmName", "DashboardName", "TopicArn", "Rule", "BackupVaultName", "AliasName"),
    *(
        "logGroupName",
        "logGroupIdentifier",
        "repositoryName",
        "clusterName",
        "serviceName",
        "family",
        "cluster",
    ),
    *("resourceArn", "ResourceArn", "ResourceARN", "resource", "service", "ServiceNamespace", "policyName"),
}
SHAPES = (
    (r"(?<=-)\d{18}[0-9a-f]{8}(?:-\w{6})?", "TIME"),  # Terraform's counter at its end is hexadecimal
    (r"(?<=:scalable-target/)\w+", "ID"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
    (r"(?<=/hostedzone/)Z\w+", "ZONE"),
    (r"(?<=/change/)C\w+", "ID"),
    (r"(?<=-)\d{14}(?=\")", "TIME"),
)
VARIABLES = {
    "domain_name": "mlflow.example.com",
    "permissions_boundary_arn": BOUNDARY,
    "deletion_protection": "false",
    "danger_allow_unprotected": "true",
    "create_ecr_repository": "true",
    "backup": "true",
    "alarm_email": "on-call@example.com",
    "interface_endpoints": '["logs"]',
    # More zones later would change the subnet group of the database, which moto then forgets.
    "availability_zones": '["eu-central-1a", "eu-central-1b"]',
    "wait_for_steady_state": "false",
    "iam_path": "/mlflow/",
    "serving": json.dumps(
        {
            "fraud": {
                "login_secret_arn": LOGIN,
                "domain_name": "fraud.example.com",
                "zone_id": "ZONE",
                "wait_for_steady_state": False,
            }
        }
    ),
}


def record() -> None:
    """Do it all and write the file."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for part in ("infra", "modules"):
            ignored = shutil.ignore_patterns(".terraform", "*.tfstate*")
            shutil.copytree(ROOT / part, folder / part, ignore=ignored)
        (folder / "infra/aws/backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        sink = folder / "calls"
        command = "tests.terraform.emulator_server"
        with mock.patch.dict(os.environ, {SINK: str(sink)}), _as_emulator_server(command):
            with emulator() as aws:
                _life(folder / "infra/aws", aws)
        calls = {line: json.loads(line) for line in map(_shape, sink.read_text().splitlines())}
    told = [calls[line] for line in sorted(calls)]
    text = json.dumps({"made by": COMMAND, "calls": told}, indent=None, separators=(",", ":"))
    RECORDED.write_text(text.replace('{"service"', '\n {"service"') + "\n")


def _shape(line: str) -> str:
    """What differs from run to run, by its kind."""
    for pattern, name in SHAPES:
        line = re.sub(pattern, name, line)
    return line


def _as_emulator_server(command: str) -> Any:
    """``emulator()`` starts this module in place of the emulator's own."""
    import subprocess

    start = subprocess.Popen

    def starting(argv: list[str], **more: Any) -> Any:
        return start([__spec__.name if one == command else one for one in argv], **more)

    return mock.patch("tests.terraform.emulator.subprocess.Popen", starting)


def _life(folder: Path, aws: Emulator) -> None:
    env = aws.environment()
    zone = aws.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"][
        "Id"
    ]
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("iam").create_policy(PolicyName="mlflow-boundary", PolicyDocument=document)
    zone = zone.rsplit("/", 1)[-1]
    variables = {name: value.replace("ZONE", zone) for name, value in VARIABLES.items()} | {"zone_id": zone}
    file = folder / "record.auto.tfvars"
    shutil.copy(folder / f"envs/{ENVIRONMENT}.tfvars", file)
    more = [f"-var={name}={value}" for name, value in variables.items()]
    terraform(folder, "init", "-lockfile=readonly")
    sink = Path(os.environ[SINK])
    sink.write_text("")  # what came before was ours, not Terraform's
    terraform(folder, "apply", "-auto-approve", "-parallelism=20", *more, env=env)
    changed = ["-var=size=large", "-var=password_version=2"]
    terraform(folder, "apply", "-auto-approve", "-parallelism=20", *more, *changed, env=env)
    terraform(folder, "destroy", "-auto-approve", "-parallelism=20", *more, *changed, env=env)


# In the emulator's process


def serve() -> None:
    """The emulator, with a recorder in front."""
    from moto.core.responses import BaseResponse

    from tests.terraform import emulator_server

    prepare, sink = BaseResponse.setup_class, Path(os.environ[SINK])

    def recording(self: Any, request: Any, *arguments: Any, **more: Any) -> None:
        prepare(self, request, *arguments, **more)
        scope = re.search(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/", request.headers.get("Authorization", ""))
        if scope:
            with sink.open("a") as out:
                out.write(json.dumps(_told(scope[1], self, request)) + "\n")

    BaseResponse.setup_class = recording  # type: ignore[method-assign]
    emulator_server.main()


def _told(service: str, response: Any, request: Any) -> dict[str, Any]:
    path = urlsplit(request.raw_url).path
    told: dict[str, Any] = {"service": service, "operation": response._get_action()}
    if service == "s3":
        return told | {"names": {"path": unquote(path)}}
    names, tags = _parameters(request, response)
    if service in ("route53", "backup"):
        names["path"] = unquote(path)
    return told | {"names": dict(sorted(names.items())), "tags": dict(sorted(tags.items()))}


def _parameters(request: Any, response: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Names and tags in a request, whichever of AWS's protocols it speaks."""
    try:
        body = json.loads(request.data or b"{}")
    except ValueError:
        body = None
    if isinstance(body, dict) and body:
        return {k: v for k, v in body.items() if k in NAMES and isinstance(v, str)}, _tags(body)
    flat = {k: v[0] if isinstance(v, list) else v for k, v in response.querystring.items()}
    keys = {k.removesuffix(".Key"): str(v) for k, v in flat.items() if k.endswith(".Key") and "Tag" in k}
    tags = {name: str(flat.get(f"{place}.Value", "")) for place, name in keys.items()}
    return {k: str(v) for k, v in flat.items() if k in NAMES}, tags


def _tags(body: dict[str, Any]) -> dict[str, str]:
    for name, value in body.items():
        if name.lower().endswith("tags"):
            if isinstance(value, dict):
                return {k: str(v) for k, v in value.items()}
            if isinstance(value, list):
                low = [
                    {k.lower().removeprefix("tag"): v for k, v in one.items()}
                    for one in value
                    if isinstance(one, dict)
                ]
                return {str(one["key"]): str(one.get("value", "")) for one in low if "key" in one}
    return {}


if __name__ == "__main__":
    if "--port" in sys.argv:
        serve()
    else:
        record()
