"""Where the sample environment of the cloud's tests is, and publishing it."""

from __future__ import annotations

import json
from typing import Any

import boto3

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION}


def put(document: dict[str, Any]) -> None:
    boto3.client("ssm").put_parameter(
        Name="/mlflowctl/prod", Value=json.dumps(document), Type="SecureString", Overwrite=True
    )
