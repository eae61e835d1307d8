"""An environment that serves models, and what was there before it; ``test_serving.py`` tells its story."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.terraform.emulator import ACCOUNT, REGION, Emulator
from tests.terraform.terraform_cli import printed, terraform

MODEL = "fraud detection"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
LOGIN = f"{SECRET}:mlflow-reader-a1b2c3"


@dataclass
class Serving:
    """An environment that serves a model.

    Attributes:
        root: its configuration.
        env: variables for Terraform.
        aws: where it is.
        database_group: the security group of the database, which was there before.
        shared: a load balancer that was there before: its listener and its security group.
    """

    root: Path
    env: dict[str, str]
    aws: Emulator
    database_group: str
    shared: dict[str, str]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / "terraform.tfstate").read_text())
        return found

    def plan(self) -> tuple[int, str]:
        """0 and what was printed if there is nothing to do; 2 if there is."""
        done = terraform(
            self.root, "plan", "-detailed-exitcode", "-var-file=envs/live.tfvars", env=self.env, check=False
        )
        return done.returncode, printed(done)


def existing(aws: Emulator) -> dict[str, Any]:
    """What was there before: network, the database's security group, a load balancer of others."""
    ec2, elb = aws.client("ec2"), aws.client("elbv2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    subnets = [one["SubnetId"] for one in found]
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("postgres", "shared")
    }
    certificate = aws.client("acm").request_certificate(DomainName="*.example.com")["CertificateArn"]
    balancer = elb.create_load_balancer(
        Name="shared", Subnets=subnets, SecurityGroups=[groups["shared"]], Scheme="internal"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]["ListenerArn"]  # fmt: skip
    return {"vpc": vpc, "subnets": subnets, "listener": listener, "certificate": certificate} | groups


def variables(there: dict[str, Any]) -> str:
    """The environment's file: a model behind a load balancer of its own, one behind the shared one."""
    shared = f'listener_arn = "{there["listener"]}", security_group_id = "{there["shared"]}"'
    return f"""
environment         = "live"
region              = "{REGION}"
image               = "registry.example.com/mlflowctl:1.0.0"
domain_name         = "mlflow.example.com"
certificate_arn     = "{there["certificate"]}"
deletion_protection = false
existing_network    = {{ vpc_id = "{there["vpc"]}", private_subnet_ids = {json.dumps(there["subnets"])} }}
existing_database = {{
  host              = "postgres.internal.example.com"
  security_group_id = "{there["postgres"]}"
  admin_secret_arn  = "{SECRET}:postgres-a1b2c3"
  app_secret_arn    = "{SECRET}:mlflow-a1b2c3"
}}
serving = {{
  fraud = {{
    model            = "{MODEL}"
    login_secret_arn = "{LOGIN}"
    domain_name      = "fraud.example.com"
    certificate_arn  = "{there["certificate"]}"
  }}
  digits = {{
    login_secret_arn = "{LOGIN}"
    domain_name      = "digits.example.com"
    existing_load_balancer = {{ {shared} }}
  }}
}}
"""


def told(aws: Emulator, example: str) -> dict[str, Any]:
    """What an example is told."""
    if example == "internal":
        return {"login_secret_arn": LOGIN}
    ec2 = aws.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    listener = next(
        one["ListenerArn"]
        for balancer in aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
        for one in aws.client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])[
            "Listeners"
        ]
    )
    return {
        "vpc_id": vpc,
        "private_subnet_ids": [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]],
        "listener_arn": listener,
        "load_balancer_security_group_id": "sg-0123456789abcdef0",
        "tracking_server": {
            "url": "https://mlflow.example.com",
            "cluster_name": "mlflow",
            "cluster_arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/mlflow",
            "load_balancer_security_group_id": "sg-0123456789abcdef1",
            "kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
        },
    }
