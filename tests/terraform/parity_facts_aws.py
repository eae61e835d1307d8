"""The facts of ``tests/parity_facts.py`` for AWS, from what Terraform plans for the example ``prod``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from mlflowctl.storage import policy
from mlflowctl.storage.settings import ROLES
from tests import parity_facts
from tests.compose.ecs_task import Container
from tests.parity_facts import Facts
from tests.terraform import module_setup

# Facts that AWS has not: S3 is Amazon's, and RDS runs initdb. Their rows have a dash there.
NOT_IN_AWS = ("store: ", "version: SeaweedFS", "port: S3", "initdb")
Settings = dict[str, Any]


class Planned:
    """The managed resources of a plan, by type."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.variables = {name: one["value"] for name, one in document["variables"].items()}
        self._changes = [one for one in document["resource_changes"] if one["mode"] == "managed"]

    def one(self, kind: str, index: Any = None) -> dict[str, Any]:
        """The only resource of a type, or the only one with an index."""
        found = [one for one in self._changes if one["type"] == kind and index in (None, one.get("index"))]
        assert len(found) == 1, f"{kind}: {[one['address'] for one in found]}"
        after: dict[str, Any] = found[0]["change"]["after"]
        return after

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [one["change"]["after"] for one in self._changes if one["type"] == kind]


def facts(planned: Planned, server: Container, run_dir: Path) -> Facts:
    """What the cloud is told.

    Args:
        planned: the plan of an environment.
        server: the definition of the server's container.
        run_dir: where its passfile and key are written.
    """
    database = planned.one("aws_db_instance")
    given = variables(server)
    environment = parity_facts.server_environment(given, run_dir)
    return {
        "version: MLflow": parity_facts.version_in_the_image(),
        "version: PostgreSQL": database["engine_version"],
        "version: PostgreSQL, major": database["engine_version"].partition(".")[0],
        "port: tracking server": ", ".join(
            sorted(str(one["port"]) for one in planned.all("aws_lb_listener") if not _redirects(one))
        ),
        "port: database": str(database["port"]),
        "bucket: artifacts": planned.one("aws_s3_bucket", "artifacts")["bucket"],
        "bucket: registry": planned.one("aws_s3_bucket", "registry")["bucket"],
        "region": planned.variables["region"],
        "login": {"true": "on", "false": "off"}[given["MLFLOWCTL_AUTH"]],
        **parity_facts.server_facts(environment),
        **{
            f"database: {one['name']}": one["value"]
            for one in planned.one("aws_db_parameter_group")["parameter"]
        },
        **parity_facts.bucket_lines({role: _bucket(planned, role) for role in ROLES}),
    }


def variables(container: Container) -> dict[str, str]:
    """The variables that a definition gives its container, without secrets."""
    return {one["name"]: one["value"] for one in container["environment"]}


@cache
def bucket_policies() -> dict[str, dict[str, Any]]:
    """Role → the policy of its bucket; a plan does not know it yet, since it holds the bucket's ARN."""
    return {
        one["index"]: json.loads(one["values"]["policy"])
        for one in module_setup.applied("artifact-store")
        if one["type"] == "aws_s3_bucket_policy"
    }


def compared(told: Facts) -> Facts:
    """Facts without those that AWS does not have."""
    return {name: value for name, value in told.items() if not name.startswith(NOT_IN_AWS)}


def _redirects(listener: dict[str, Any]) -> bool:
    return bool(listener["default_action"][0]["type"] == "redirect")


def _bucket(planned: Planned, role: str) -> Settings:
    """The planned settings of a bucket, in the words of S3's API."""

    def setting(kind: str) -> dict[str, Any]:
        return planned.one(f"aws_s3_bucket_{kind}", role)

    encryption = setting("server_side_encryption_configuration")["rule"][0]
    algorithm = encryption["apply_server_side_encryption_by_default"][0]["sse_algorithm"]
    block = setting("public_access_block")
    owner = setting("ownership_controls")["rule"][0]["object_ownership"]
    names = {
        "BlockPublicAcls": "block_public_acls",
        "IgnorePublicAcls": "ignore_public_acls",
        "BlockPublicPolicy": "block_public_policy",
        "RestrictPublicBuckets": "restrict_public_buckets",
    }
    return {
        "versioning": {"Status": setting("versioning")["versioning_configuration"][0]["status"]},
        "encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]},
        "lifecycle": {"Rules": [_rule(one) for one in setting("lifecycle_configuration")["rule"]]},
        "ownership controls": {"Rules": [{"ObjectOwnership": owner}]},
        "public-access block": {name: block[ours] for name, ours in names.items()},
        "plain http": "refused" if _refuses_plain_http(role) else "allowed",
        "object lock": "on" if planned.one("aws_s3_bucket", role)["object_lock_enabled"] else "off",
    }


def _refuses_plain_http(role: str) -> bool:
    document = bucket_policies()[role]
    bucket = str(document["Statement"][0]["Resource"][0]).rpartition(":")[2]
    return any(policy.refuses_plain_http(one, bucket, "eu-central-1") for one in document["Statement"])


def _rule(planned: dict[str, Any]) -> Settings:
    """A lifecycle rule; what it says beyond our own rules is kept, so that it shows as a difference."""
    known = {"id", "status", "filter", "prefix", "abort_incomplete_multipart_upload", "expiration"}
    rule = {
        "ID": planned["id"],
        "Status": planned["status"],
        "Filter": {"Prefix": planned["filter"][0]["prefix"]},
    }
    for abort in planned["abort_incomplete_multipart_upload"]:
        rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": abort["days_after_initiation"]}
    for current in planned["expiration"]:
        rule["Expiration"] = {"Days": current["days"]}
    for noncurrent in planned["noncurrent_version_expiration"]:
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": noncurrent["noncurrent_days"]}
    others = planned.keys() - known - {"noncurrent_version_expiration"}
    return rule | {name: planned[name] for name in sorted(others) if planned[name]}
