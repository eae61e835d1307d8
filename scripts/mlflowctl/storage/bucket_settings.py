"""Every setting of a bucket: how it is read, judged and written, and which permission each takes."""

# ruff: noqa: ARG002 (one signature for all settings; not every setting needs the target)

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mlflowctl.storage import lifecycle, policy
from mlflowctl.storage.desired import desired
from mlflowctl.storage.errors import code_of
from mlflowctl.storage.settings import Role, S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Target:
    """One bucket as one context sees it."""

    role: Role
    settings: S3Settings

    @property
    def bucket(self) -> str:
        return self.settings.bucket(self.role)


class Setting(ABC):
    """One setting of a bucket. ``name`` is also its key in ``desired()`` where it has one."""

    name: ClassVar[str]
    read_permission: ClassVar[str]
    write_permission: ClassVar[str]
    absent_code: ClassVar[str] = ""  # the error by which S3 says "never set"

    def read(self, s3: S3Client, bucket: str) -> Any:
        """The current value; None if it was never set. Raises botocore's ClientError."""
        from botocore.exceptions import ClientError

        try:
            return self._get(s3, bucket)
        except ClientError as exc:
            if self.absent_code and code_of(exc) == self.absent_code:
                return None
            raise

    def wanted(self, target: Target) -> Any:
        """The desired value of this setting."""
        return desired(target.role)[self.name]

    def not_here(self, target: Target) -> str:
        """Why this setting makes no sense in this store; "" if it does."""
        return ""

    @abstractmethod
    def _get(self, s3: S3Client, bucket: str) -> Any: ...

    @abstractmethod
    def difference(self, current: Any, target: Target) -> str:
        """What has to change, as a person reads it; "" for nothing."""

    @abstractmethod
    def write(self, s3: S3Client, target: Target) -> None:
        """Bring the bucket to the desired value; idempotent. Raises botocore's ClientError."""


class Versioning(Setting):
    name = "versioning"
    read_permission, write_permission = "s3:GetBucketVersioning", "s3:PutBucketVersioning"

    def _get(self, s3: S3Client, bucket: str) -> Any:
        return s3.get_bucket_versioning(Bucket=bucket).get("Status")

    def difference(self, current: Any, target: Target) -> str:
        return "" if current == "Enabled" else f"{current or 'off'} → Enabled"

    def write(self, s3: S3Client, target: Target) -> None:
        s3.put_bucket_versioning(Bucket=target.bucket, VersioningConfiguration=self.wanted(target))


class Encryption(Setting):
    name = "encryption"
    read_permission, write_permission = "s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"
    absent_code = "ServerSideEncryptionConfigurationNotFoundError"
    # A KMS key that somebody chose is stronger than what is wanted, so it is no drift.
    enough = ("AES256", "aws:kms", "aws:kms:dsse")

    def _get(self, s3: S3Client, bucket: str) -> Any:
        return s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]

    def difference(self, current: Any, target: Target) -> str:
        rules = (current or {}).get("Rules", [])
        found = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for rule in rules]
        return "" if found and found[0] in self.enough else f"{(found or ['off'])[0]} → AES256"

    def write(self, s3: S3Client, target: Target) -> None:
        s3.put_bucket_encryption(Bucket=target.bucket, ServerSideEncryptionConfiguration=self.wanted(target))


class Lifecycle(Setting):
    name = "lifecycle"
    read_permission, write_permission = "s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"
    absent_code = "NoSuchLifecycleConfiguration"

    def _get(self, s3: S3Client, bucket: str) -> Any:
        return s3.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])

    def difference(self, current: Any, target: Target) -> str:
        rules = self.wanted(target)["Rules"]
        return lifecycle.difference(current or [], rules, target.role, owned=target.settings.owned)

    def write(self, s3: S3Client, target: Target) -> None:
        s3.put_bucket_lifecycle_configuration(
            Bucket=target.bucket, LifecycleConfiguration=self.wanted(target)
        )


class OwnershipControls(Setting):
    name = "ownership controls"
    read_permission, write_permission = "s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"
    absent_code = "OwnershipControlsNotFoundError"

    def _get(self, s3: S3Client, bucket: str) -> Any:
        return s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]

    def difference(self, current: Any, target: Target) -> str:
        rules = (current or {}).get("Rules", [])
        found = [rule.get("ObjectOwnership") for rule in rules] or ["off"]
        return "" if found == ["BucketOwnerEnforced"] else f"{found[0]} → BucketOwnerEnforced"

    def write(self, s3: S3Client, target: Target) -> None:
        s3.put_bucket_ownership_controls(Bucket=target.bucket, OwnershipControls=self.wanted(target))


class PublicAccessBlock(Setting):
    name = "public-access block"
    read_permission, write_permission = "s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"
    absent_code = "NoSuchPublicAccessBlockConfiguration"

    def _get(self, s3: S3Client, bucket: str) -> Any:
        return s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]

    def difference(self, current: Any, target: Target) -> str:
        off = [key for key, value in self.wanted(target).items() if (current or {}).get(key) is not value]
        return f"off: {', '.join(off)} → on" if off else ""

    def write(self, s3: S3Client, target: Target) -> None:
        s3.put_public_access_block(Bucket=target.bucket, PublicAccessBlockConfiguration=self.wanted(target))


class PolicySetting(Setting):
    """Two settings share the policy document; each changes only its own part of it."""

    read_permission, write_permission = "s3:GetBucketPolicy", "s3:PutBucketPolicy"
    absent_code = "NoSuchBucketPolicy"

    def _get(self, s3: S3Client, bucket: str) -> Any:
        return json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])


class PublicGrants(PolicySetting):
    name = "public grants"

    def difference(self, current: Any, target: Target) -> str:
        found = ", ".join(repr(name) for name in policy.public_grants(current))
        return (
            (f"removes {found}" if target.settings.owned else f"{found} lets everybody in") if found else ""
        )

    def write(self, s3: S3Client, target: Target) -> None:
        left = policy.without_public_grants(self.read(s3, target.bucket))
        if left is None:
            s3.delete_bucket_policy(Bucket=target.bucket)
        else:
            s3.put_bucket_policy(Bucket=target.bucket, Policy=json.dumps(left))


class TlsOnly(PolicySetting):
    name = "TLS-only policy"

    def not_here(self, target: Target) -> str:
        # On a plain-http endpoint this policy refuses every request, ours included, for good.
        return "" if target.settings.https else "the endpoint is http: it would refuse every request"

    def difference(self, current: Any, target: Target) -> str:
        found = policy.statements(current)
        region = target.settings.region
        if any(policy.refuses_plain_http(statement, target.bucket, region) for statement in found):
            return ""
        return "plain http allowed → refused"

    def write(self, s3: S3Client, target: Target) -> None:
        current = self.read(s3, target.bucket)
        document = policy.with_tls_only(current, target.bucket, target.settings.region)
        s3.put_bucket_policy(Bucket=target.bucket, Policy=json.dumps(document))


# The order is the order of effect: nothing may be public or unversioned while the rest is being set.
SETTINGS: tuple[Setting, ...] = (
    OwnershipControls(),
    PublicAccessBlock(),
    PublicGrants(),
    TlsOnly(),
    Versioning(),
    Encryption(),
    Lifecycle(),
)


def setting(name: str) -> Setting:
    """The setting of that name."""
    return next(found for found in SETTINGS if found.name == name)
