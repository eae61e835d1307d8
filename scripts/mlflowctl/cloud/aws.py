"""Asking AWS itself: clients of boto3, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlflowctl.cloud.meanings import LOG_IN
from mlflowctl.errors import AccessError, MlflowctlError, UsageError
from mlflowctl.storage.errors import CONFIG, code_of, s3_errors

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 60
ATTEMPTS = 4
MISSING = {
    "404",
    "NoSuchBucket",
    "NotFound",
    "ParameterNotFound",
    "ResourceNotFoundException",
    "DBInstanceNotFound",
    "DBInstanceNotFoundFault",
    "DBSnapshotNotFound",
    "DBSnapshotNotFoundFault",
    "ClusterNotFoundException",
    "ServiceNotFoundException",
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
    "TargetGroupNotFound",
}


class NoRegion(UsageError):
    """Nothing says which region of AWS is meant."""


def client(service: str, region: str | None) -> Any:
    """A boto3 client of one service, with the credentials of the AWS chain. boto3 is imported here only.

    Args:
        service: as boto3 names it.
        region: None means that of the AWS chain.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    with errors(f"prepare the client of {service}", region or "the default region", ""):
        session: Any = boto3.session.Session()  # its stubs want to know the service at typing time
        return session.client(service, region_name=region, config=config)


@contextmanager
def errors(doing: str, region: str, permission: str, state: str = "Nothing was changed.") -> Iterator[None]:
    """Raise what boto3 raises inside the block as one of mlflowctl's own errors.

    Args:
        doing: what was being done, after "could not".
        region: where.
        permission: the IAM action that the request needs.
        state: what state things are in if the block fails.
    """
    try:
        with s3_errors(doing, where=f"AWS in {region}", permission=permission, state=state):
            yield
    except MlflowctlError as failed:
        if type(failed.__cause__).__name__ == "NoRegionError":
            what = f"Could not {doing}: no AWS region is set."
            raise NoRegion(what, state=state, next="export AWS_REGION=eu-central-1") from None
        if isinstance(failed, AccessError) and failed.next == CONFIG:
            failed.next = LOG_IN  # wrong or no credentials; a missing right names itself
        raise


def missing(exc: BaseException) -> bool:
    """True if AWS says that what was asked for does not exist."""
    return code_of(exc) in MISSING


def account(region: str) -> str:
    """The account that the credentials belong to. Raises AccessError without credentials."""
    with errors("find out whose credentials these are", region, "sts:GetCallerIdentity"):
        return str(client("sts", region).get_caller_identity()["Account"])
