"""What a recorded S3 call asks for: the permissions on the bucket, and on the key that encrypts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.terraform.emulator import REGION
from tests.terraform.iam_policies import Policy

VIA_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
# The operations whose permission has another name.
PERMISSIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "ListParts": "s3:ListMultipartUploadParts",
    "DeleteObjects": "s3:DeleteObject",
}


def refused(policy: Policy, calls: list[dict[str, Any]], buckets: Mapping[str, str], key: str) -> list[str]:
    """The requests of recorded calls that a policy does not allow.

    Args:
        policy: of whoever makes the calls.
        calls: as `record_s3_calls.py` writes them.
        buckets: role of a bucket → its ARN.
        key: the ARN of the key of both.
    """
    return [
        f"{action} on {resource} with {context}"
        for call in calls
        for action, resource, context in _requests(call, buckets, key)
        if not policy.allows(action, resource, **context)
    ]


def _requests(
    call: dict[str, Any], buckets: Mapping[str, str], key: str
) -> list[tuple[str, str, dict[str, str]]]:
    bucket, operation = buckets[call["bucket"]], call["operation"]
    action = PERMISSIONS.get(operation, f"s3:{operation}")
    name = call.get("key", "any" if operation == "DeleteObjects" else "")
    context = {f"s3:{header}": "told" for header in call.get("headers", [])}
    asked = [(action, f"{bucket}/{name}" if name else bucket, context)]
    if action == "s3:PutObject":
        asked.append(("kms:GenerateDataKey", key, VIA_S3))
    if action == "s3:GetObject" or operation in ("UploadPart", "CompleteMultipartUpload"):
        asked.append(("kms:Decrypt", key, VIA_S3))
    return asked
