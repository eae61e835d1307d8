"""Plan and apply the buckets of a context.

``plan`` only reads. ``apply`` does one step and returns what truly happened: a store that says "not
implemented" to a write, or accepts it and forgets it, is reported as such, never as done.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlflowctl.errors import AccessError, MlflowctlError
from mlflowctl.plan import Action, Step
from mlflowctl.storage.bucket_settings import SETTINGS, Setting, Target, setting
from mlflowctl.storage.client import client
from mlflowctl.storage.errors import DENIED, RACE, code_of, is_not_implemented, not_s3, s3_errors, translate
from mlflowctl.storage.settings import ROLES, Role, S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STEP_STATE = "This step changed nothing; earlier steps of this run stay in force."
THEIRS = "Terraform owns this bucket: mlflowctl cloud plan"
RACE_ATTEMPTS = 6


@dataclass(frozen=True)
class BucketStep(Step):
    """A bucket (``setting`` is "") or one setting of it.

    Attributes:
        theirs: somebody else owns the bucket, so only they can mend it.
    """

    role: Role = "artifacts"
    setting: str = ""
    theirs: bool = False


def plan(settings: S3Settings) -> list[Step]:
    """What bootstrap would do to both buckets, by reading only.

    For buckets that somebody else owns (``settings.owned`` is False) differences are reported as
    ``Action.ATTENTION``, never planned as changes.
    """
    s3 = client(settings)
    return [step for role in ROLES for step in _plan_bucket(s3, Target(role, settings))]


def report(settings: S3Settings) -> list[Step]:
    """The plan of buckets that somebody else owns; a store that refuses or is away is told, not raised.

    Whoever only looks (bootstrap in AWS) must not stop a server for what others have to mend.
    """
    try:
        return plan(settings)
    except MlflowctlError as exc:
        target = f"bucket {settings.artifact_bucket}"
        return [BucketStep(Action.ATTENTION, target, f"not looked at: {exc.what}", theirs=True)]


def check(settings: S3Settings) -> list[Step]:
    """The same reading as ``plan``, under the name that doctor uses."""
    return plan(settings)


def apply(step: Step, settings: S3Settings) -> Step:
    """Do one step of the plan; safe to repeat and safe beside another run.

    Returns:
        The step as it truly went: the same step, or with ``Action.UNSUPPORTED`` if only the write could
        tell, ``Action.UNCHANGED`` if another run was faster, ``Action.ATTENTION`` if the store accepted
        the write and still answers the old value.
    """
    if not isinstance(step, BucketStep) or not step.effective:
        return step
    s3, target = client(settings), Target(step.role, settings)
    return _apply_setting(s3, step, target) if step.setting else _create_bucket(s3, step, target)


def _plan_bucket(s3: S3Client, target: Target) -> list[Step]:
    exists, owned = _exists(s3, target), target.settings.owned
    action = Action.UNCHANGED if exists else Action.CREATE if owned else Action.ATTENTION
    detail = "" if exists or owned else f"does not exist. {THEIRS}"
    bucket = BucketStep(action, f"bucket {target.bucket}", detail, target.role, theirs=not owned)
    if not exists and not owned:
        return [bucket]
    return [bucket, *(_plan_setting(s3, found, target, exists) for found in SETTINGS)]


def _plan_setting(s3: S3Client, found: Setting, target: Target, exists: bool) -> Step:
    def step(action: Action, detail: str = "") -> Step:
        name = f"bucket {target.bucket}: {found.name}"
        return BucketStep(action, name, detail, target.role, found.name, not target.settings.owned)

    if reason := found.not_here(target):
        return step(Action.UNSUPPORTED, reason)
    try:
        difference = found.difference(_read(s3, found, target), target)
    except _NotImplementedHereError:
        return step(Action.UNSUPPORTED, f"{target.settings.where} does not implement it")
    except _NoAnswerError as answer:
        if exists and target.settings.owned:
            raise answer.error from answer.__cause__
        if exists:
            return step(Action.ATTENTION, f"cannot be checked: this access key lacks {found.read_permission}")
        difference = found.difference(None, target)
    if not difference:
        return step(Action.UNCHANGED)
    if not target.settings.owned:
        return step(Action.ATTENTION, f"{difference}. {THEIRS}")
    return step(Action.CHANGE if exists else Action.CREATE, difference)


class _NotImplementedHereError(Exception):
    """The store does not know the operation."""


class _NoAnswerError(Exception):
    """The setting cannot be read: the bucket does not exist yet, or the key may not look."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _read(s3: S3Client, found: Setting, target: Target) -> Any:
    from botocore.exceptions import ClientError

    doing = f"read the {found.name} of bucket {target.bucket}"
    with s3_errors(doing, where=target.settings.where, permission=found.read_permission):
        try:
            return found.read(s3, target.bucket)
        except ClientError as exc:
            if is_not_implemented(exc):
                raise _NotImplementedHereError from exc
            if code_of(exc) in {"NoSuchBucket", *DENIED}:
                error = translate(
                    exc, doing=doing, where=target.settings.where, permission=found.read_permission
                )
                raise _NoAnswerError(error) from exc
            raise


def _exists(s3: S3Client, target: Target) -> bool:
    """Ask with a GET: the errors of a HEAD carry no code, so a wrong key would look like a foreign bucket."""
    from botocore.exceptions import ClientError

    doing = f"look at bucket {target.bucket}"
    with s3_errors(doing, where=target.settings.where, permission="s3:ListBucket"):
        try:
            answer = s3.list_objects_v2(Bucket=target.bucket, MaxKeys=1)
        except ClientError as exc:
            if code_of(exc) == "NoSuchBucket":
                return False
            if code_of(exc) == "AccessDenied" and not _listed(s3, target.bucket):
                raise _foreign(target, code_of(exc)) from exc
            raise
    if answer.get("Name") != target.bucket:  # any well-formed XML page parses as an empty answer
        raise not_s3(doing, target.settings.where)
    return True


def _listed(s3: S3Client, bucket: str) -> bool:
    """True if the bucket is certainly ours, or if that cannot be found out."""
    from botocore.exceptions import ClientError

    try:
        return bucket in {found.get("Name") for found in s3.list_buckets().get("Buckets", [])}
    except ClientError:
        return True


def _foreign(target: Target, code: str) -> AccessError:
    return AccessError(
        f"Bucket {target.bucket} at {target.settings.where} is closed to this access key and not among its "
        f"buckets ({code}): it belongs to someone else, or the key lacks s3:ListBucket on it.",
        state="Nothing was changed.",
        next="mlflowctl config show: check the bucket names and the access key of this context",
    )


def _create_bucket(s3: S3Client, step: BucketStep, target: Target) -> Step:
    from botocore.exceptions import ClientError

    arguments: dict[str, Any] = {"Bucket": target.bucket}
    if target.settings.endpoint_url is None and target.settings.region != "us-east-1":
        arguments["CreateBucketConfiguration"] = {"LocationConstraint": target.settings.region}
    doing = f"create bucket {target.bucket}"
    with s3_errors(doing, where=target.settings.where, permission="s3:CreateBucket", state=STEP_STATE):
        try:
            _beside_others(lambda: s3.create_bucket(**arguments))
        except ClientError as exc:
            # Some stores say AlreadyExists also to the owner, so the owner's view decides.
            ours = code_of(exc) == "BucketAlreadyExists" and _opens(s3, target)
            if code_of(exc) != "BucketAlreadyOwnedByYou" and not ours:
                raise
            return replace(step, action=Action.UNCHANGED, detail="another run created it meanwhile")
    return step


def _opens(s3: S3Client, target: Target) -> bool:
    try:
        return _exists(s3, target)
    except AccessError:
        return False


def _apply_setting(s3: S3Client, step: BucketStep, target: Target) -> Step:
    from botocore.exceptions import ClientError

    found = setting(step.setting)
    doing = f"set the {found.name} of bucket {target.bucket}"
    with s3_errors(doing, where=target.settings.where, permission=found.write_permission, state=STEP_STATE):
        try:
            _beside_others(lambda: found.write(s3, target))
        except ClientError as exc:
            if not is_not_implemented(exc):
                raise
            detail = f"{target.settings.where} does not implement it"
            return replace(step, action=Action.UNSUPPORTED, detail=detail)
    if left := found.difference(_read(s3, found, target), target):
        return replace(step, action=Action.ATTENTION, detail=f"accepted, but still answers: {left}")
    return step


def _beside_others(write: Callable[[], object]) -> None:
    """Repeat an idempotent write that lost a race (409) to another run, with growing random pauses."""
    from botocore.exceptions import ClientError

    for attempt in range(RACE_ATTEMPTS):
        try:
            write()
            return
        except ClientError as exc:
            if code_of(exc) not in RACE or attempt == RACE_ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.1, 0.2) * 2**attempt)  # noqa: S311 (jitter, not a secret)
