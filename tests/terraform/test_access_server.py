"""What the server's containers may in AWS (the task role), held against what they really asked of S3.

`record_s3_calls.py` recorded the server as it serves artifacts, bootstrap as it looks at Terraform's buckets,
and the commands that only read, which a one-off task runs inside the VPC.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.terraform import access_policies
from tests.terraform.iam_policies import Policy
from tests.terraform.record_s3_calls import RECORDED
from tests.terraform.s3_requests import refused

pytestmark = pytest.mark.xdist_group("access-policies")

BUCKETS = {role: f"arn:aws:s3:::mlflow-test-{role}" for role in ("artifacts", "registry")}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/3"
# Who of the record runs in a task.
IN_A_TASK = [("proxied", "server"), ("proxied", "bootstrap"), ("proxied", "reading"), ("direct", "reading")]


@pytest.fixture(scope="module")
def task_role(needs_terraform: str) -> Policy:
    return access_policies.task_role()


def recorded(mode: str, who: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = json.loads(RECORDED.read_text())["calls"][mode][who]
    assert calls
    return calls


@pytest.mark.parametrize(("mode", "who"), IN_A_TASK)
def test_what_containers_ask_is_allowed(task_role: Policy, mode: str, who: str):
    assert refused(task_role, recorded(mode, who), BUCKETS, KEY) == []


def test_a_server_that_was_taken_over_cannot_write_the_ledger(task_role: Policy):
    """Promotions are written by whoever promotes, past the server."""
    writes = [one for one in recorded("proxied", "promotion") if one["operation"] == "PutObject"]
    assert writes
    assert [one for one in writes if not refused(task_role, [one], BUCKETS, KEY)] == []


@pytest.mark.parametrize(
    "action",
    [
        *("s3:PutBucketPolicy", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration", "s3:DeleteBucket"),
        *("s3:PutBucketPublicAccessBlock", "s3:PutEncryptionConfiguration", "s3:DeleteObjectVersion"),
    ],
)
def test_buckets_are_nobodys_to_change_from_inside(task_role: Policy, action: str):
    for arn in BUCKETS.values():
        resource = f"{arn}/any" if action.endswith("ObjectVersion") else arn
        assert not task_role.allows(action, resource)
