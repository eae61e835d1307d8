"""Accounts of the object store for people: what each role may do with the buckets, and keys to do it with.

Written in the language of AWS policies, with those actions only that SeaweedFS knows too. A store that has no
such accounts (MinIO, or SeaweedFS without its IAM API) says "not supported here".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mlflowctl.storage.client import ATTEMPTS, CONNECT_TIMEOUT
from mlflowctl.storage.desired import EVIDENCE_PREFIX, LEASES_PREFIX, LEDGER_PREFIX, bucket_arn
from mlflowctl.storage.errors import code_of, s3_errors
from mlflowctl.storage.settings import S3Settings

Holder = Literal["reader", "trainer", "promoter"]
PREFIX = "user-"  # so that nobody is called like an account of the store itself
POLICY = "mlflowctl"
READ_BUCKET = ("ListBucket", "ListBucketVersions", "GetBucketLocation", "GetBucketVersioning")
READ_OBJECT = ("GetObject", "GetObjectVersion", "GetObjectTagging")
WRITE = ("PutObject", "AbortMultipartUpload")
GONE = {"NoSuchEntity"}


@dataclass(frozen=True)
class Keys:
    """A key pair of one account."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def policy(holder: Holder, s3: S3Settings) -> dict[str, Any]:
    """What a role may do with the buckets. Nobody may delete, and nobody may change a bucket's settings.

    Args:
        holder: the role.
        s3: names of the buckets, and their region.
    """
    artifacts = bucket_arn(s3.artifact_bucket, s3.region)
    registry = bucket_arn(s3.registry_bucket, s3.region)
    statements = [
        _allow("SeeBuckets", ["ListAllMyBuckets"], ["*"]),
        _allow("ReadBuckets", READ_BUCKET, [artifacts, registry]),
        _allow("ReadObjects", READ_OBJECT, [f"{artifacts}/*", f"{registry}/*"]),
    ]
    if holder != "reader":
        statements.append(_allow("WriteArtifacts", WRITE, [f"{artifacts}/*"]))
    if holder == "promoter":
        kept = [f"{registry}/{prefix}*" for prefix in (LEDGER_PREFIX, LEASES_PREFIX, EVIDENCE_PREFIX)]
        statements.append(_allow("WriteRegistry", WRITE[:1], kept))
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: Any, resources: list[str]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"s3:{action}" for action in actions],
        "Resource": resources,
    }


class Accounts:
    """The accounts of one store, asked with its administrator's key."""

    def __init__(self, s3: S3Settings) -> None:
        self._s3 = s3
        self._client: Any = None

    def missing(self) -> str:
        """Why this store cannot have accounts of ours; "" if it can."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        if self._s3.endpoint_url is None or not self._s3.owned:
            return "accounts of AWS belong to its administrators"
        try:
            self._iam.get_user(UserName=f"{PREFIX}nobody")
        except ClientError as exc:
            return "" if code_of(exc) in GONE else f"{self._s3.where} has no IAM API for this key"
        except ResponseParserError:
            return f"{self._s3.where} has no IAM API"
        except BotoCoreError as exc:
            return f"{self._s3.where} does not answer ({type(exc).__name__})"
        return ""

    def names(self) -> set[str]:
        """Who has an account: names of users of the login."""
        with self._errors("list the accounts"):
            answer = self._iam.list_users()
        found = {str(one["UserName"]) for one in answer.get("Users", [])}
        return {name.removeprefix(PREFIX) for name in found if name.startswith(PREFIX)}

    def allow(self, name: str, holder: Holder) -> None:
        """Make the account, or give an existing one the rights of another role."""
        import json

        document = json.dumps(policy(holder, self._s3))
        with self._errors(f"give {name} the rights of a {holder}"):
            self._unless({"EntityAlreadyExists"}, "create_user", UserName=PREFIX + name)
            # Also what an account of the same name, long removed, has left behind.
            self._iam.put_user_policy(UserName=PREFIX + name, PolicyName=POLICY, PolicyDocument=document)

    def renew_keys(self, name: str) -> Keys:
        """A new key pair in place of all that the account has."""
        with self._errors(f"make keys for {name}"):
            before = self._keys(name)
            made = self._iam.create_access_key(UserName=PREFIX + name)["AccessKey"]
            for old in before:
                self._iam.delete_access_key(UserName=PREFIX + name, AccessKeyId=old)
        return Keys(str(made["AccessKeyId"]), str(made["SecretAccessKey"]))

    def remove(self, name: str) -> None:
        """Remove the account, its keys first: from then on nobody gets in with them."""
        with self._errors(f"remove the account of {name}"):
            for key in self._keys(name):
                self._unless(GONE, "delete_access_key", UserName=PREFIX + name, AccessKeyId=key)
            self._unless(GONE, "delete_user_policy", UserName=PREFIX + name, PolicyName=POLICY)
            self._unless(GONE, "delete_user", UserName=PREFIX + name)

    def _keys(self, name: str) -> list[str]:
        answer = self._unless(GONE, "list_access_keys", UserName=PREFIX + name) or {}
        return [str(one["AccessKeyId"]) for one in answer.get("AccessKeyMetadata", [])]

    def _unless(self, expected: set[str], operation: str, **arguments: str) -> Any:
        """The answer; None if the store says one of the expected things."""
        from botocore.exceptions import ClientError

        try:
            return getattr(self._iam, operation)(**arguments)
        except ClientError as exc:
            if code_of(exc) not in expected:
                raise
            return None

    def _errors(self, doing: str) -> Any:
        return s3_errors(doing, where=self._s3.where, permission="iam:*")

    @property
    def _iam(self) -> Any:
        import boto3
        from botocore.config import Config

        if self._client is None:
            self._client = boto3.session.Session().client(
                "iam",
                endpoint_url=self._s3.endpoint_url,
                region_name=self._s3.region,
                aws_access_key_id=self._s3.access_key_id,
                aws_secret_access_key=self._s3.secret_access_key,
                aws_session_token=self._s3.session_token,
                config=Config(
                    connect_timeout=CONNECT_TIMEOUT,
                    read_timeout=10,
                    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
                ),
            )
        return self._client
