"""Buckets: desired state, plan, apply; the S3 client and the translation of its errors.

Nothing here imports boto3 at import time.
"""

from mlflowctl.storage.buckets import BucketStep, apply, check, plan
from mlflowctl.storage.client import client, clock_skew
from mlflowctl.storage.errors import s3_errors, translate
from mlflowctl.storage.seaweed_security import security_files, write_security
from mlflowctl.storage.settings import S3Settings

__all__ = [
    "BucketStep",
    "S3Settings",
    "apply",
    "check",
    "client",
    "clock_skew",
    "plan",
    "s3_errors",
    "security_files",
    "translate",
    "write_security",
]
