"""The desired state of both buckets, as plain data.

The one source of truth for bucket settings: bootstrap applies it to local and foreign stores, and the
Terraform modules and the compose file are compared with it by a parity test (``as_json`` exports it).
"""

from __future__ import annotations

import json
from typing import Any

from mlflowctl.storage.settings import ROLES, Role

ABORT_MULTIPART_DAYS = 7
# A month to notice that an artifact was overwritten or deleted, and to bring it back.
NONCURRENT_ARTIFACT_DAYS = 30
# Leases are rewritten every few seconds while they are held; their history has no value beyond a review.
NONCURRENT_LEASE_DAYS = 7
# What gateways recorded of live requests: a test is over in weeks, and its evidence stands elsewhere.
RECORD_DAYS = 90
NONCURRENT_RECORD_DAYS = 7

LEDGER_PREFIX = "ledger/"
EVIDENCE_PREFIX = "evidence/"
LEASES_PREFIX = "leases/"
RECORDS_PREFIX = "records/"
# No rule may ever expire these, in any version: they are the audit trail.
NEVER_EXPIRED = (LEDGER_PREFIX, EVIDENCE_PREFIX)

TLS_ONLY_SID = "DenyInsecureTransport"


def _abort_multipart() -> dict[str, Any]:
    return {
        "ID": "abort-incomplete-multipart-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_MULTIPART_DAYS},
    }


def _expire_noncurrent(what: str, prefix: str, days: int) -> dict[str, Any]:
    return {
        "ID": f"expire-noncurrent-{what}",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }


def lifecycle_rules(role: Role) -> list[dict[str, Any]]:
    """The complete lifecycle rules of a bucket; a rule beyond these is drift."""
    if role == "artifacts":
        return [_abort_multipart(), _expire_noncurrent("artifacts", "", NONCURRENT_ARTIFACT_DAYS)]
    records = {
        **_expire_noncurrent("records", RECORDS_PREFIX, NONCURRENT_RECORD_DAYS),
        "ID": "expire-records",
        "Expiration": {"Days": RECORD_DAYS},
    }
    return [_abort_multipart(), _expire_noncurrent("leases", LEASES_PREFIX, NONCURRENT_LEASE_DAYS), records]


def bucket_arn(bucket: str, region: str) -> str:
    """The ARN of a bucket; China and GovCloud have partitions of their own."""
    partitions = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
    partition = next((p for prefix, p in partitions.items() if region.startswith(f"{prefix}-")), "aws")
    return f"arn:{partition}:s3:::{bucket}"


def tls_only_statement(bucket: str, region: str) -> dict[str, Any]:
    """The policy statement that refuses every request over plain http."""
    arn = bucket_arn(bucket, region)
    return {
        "Sid": TLS_ONLY_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def desired(role: Role) -> dict[str, Any]:
    """Everything that one bucket must have, except the policy, which carries the bucket's name."""
    return {
        "versioning": {"Status": "Enabled"},
        "encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        "lifecycle": {"Rules": lifecycle_rules(role)},
        "ownership controls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "public-access block": {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    }


def as_json() -> str:
    """The desired state of both buckets, for the parity tests with compose and Terraform."""
    state: dict[str, Any] = {role: desired(role) for role in ROLES}
    state["never expired"] = list(NEVER_EXPIRED)
    return json.dumps(state, indent=2, sort_keys=True)
