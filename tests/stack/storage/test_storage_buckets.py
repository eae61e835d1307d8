"""Bootstrap's buckets on a real SeaweedFS."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from mlflowctl.plan import Action, Step, pending
from mlflowctl.storage import S3Settings, apply, check, client, plan


def bootstrap(settings: S3Settings) -> list[Step]:
    return [apply(step, settings) for step in plan(settings)]


def step_for(steps: list[Step], bucket: str, setting: str) -> Step:
    return next(step for step in steps if step.target == f"bucket {bucket}: {setting}")


def test_a_plan_changes_nothing(settings, s3):
    steps = plan(settings)

    assert {step.target for step in steps} >= {
        f"bucket {settings.artifact_bucket}",
        f"bucket {settings.registry_bucket}: lifecycle",
    }
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.list_objects_v2(Bucket=settings.artifact_bucket)
    assert plan(settings) == steps


def test_the_first_run_creates_the_second_has_nothing_to_do(settings):
    outcomes = bootstrap(settings)
    again = plan(settings)

    assert Counter(step.action for step in outcomes)[Action.CREATE] == 10
    assert pending(again) == []
    assert {step.action for step in again} == {Action.UNCHANGED, Action.UNSUPPORTED}


def test_what_was_planned_is_what_the_store_has(settings, s3):
    bootstrap(settings)
    bucket = settings.registry_bucket

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    s3.put_object(Bucket=bucket, Key="ledger/m/000000000001.json", Body=b"{}")
    head = s3.head_object(Bucket=bucket, Key="ledger/m/000000000001.json")
    assert head["ServerSideEncryption"] == "AES256"
    assert head["VersionId"]
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert {(rule["ID"], rule["Filter"]["Prefix"]) for rule in rules} == {
        ("abort-incomplete-multipart-uploads", ""),
        ("expire-noncurrent-leases", "leases/"),
        ("expire-records", "records/"),
    }


def test_what_the_store_lacks_is_said_and_never_attempted(settings):
    steps = bootstrap(settings)

    block = step_for(steps, settings.artifact_bucket, "public-access block")
    tls = step_for(steps, settings.artifact_bucket, "TLS-only policy")
    assert (block.action, tls.action) == (Action.UNSUPPORTED, Action.UNSUPPORTED)
    assert "does not implement it" in block.detail
    assert "http" in tls.detail


def test_a_write_the_store_does_not_implement_is_reported_as_such(settings):
    """A plan made elsewhere, or before the store was replaced by a lesser one."""
    bootstrap(settings)
    block = step_for(plan(settings), settings.artifact_bucket, "public-access block")

    outcome = apply(replace(block, action=Action.CHANGE), settings)

    assert outcome.action is Action.UNSUPPORTED


def spoil_versioning(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def spoil_encryption(s3, bucket):
    s3.delete_bucket_encryption(Bucket=bucket)


def spoil_lifecycle(s3, bucket):
    rule = {"ID": "cheap", "Status": "Enabled", "Filter": {"Prefix": "ledger/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})


def spoil_ownership(s3, bucket):
    rules = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)


def spoil_policy(s3, bucket):
    statement = {
        "Sid": "Everybody",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


@pytest.mark.parametrize(
    ("spoil", "setting", "says"),
    [
        (spoil_versioning, "versioning", "Suspended → Enabled"),
        (spoil_encryption, "encryption", "off → AES256"),
        (spoil_lifecycle, "lifecycle", "removes 'cheap'"),
        (spoil_ownership, "ownership controls", "ObjectWriter → BucketOwnerEnforced"),
        (spoil_policy, "public grants", "removes 'Everybody'"),
    ],
)
def test_drift_is_found_named_and_mended(settings, s3, spoil, setting, says):
    bootstrap(settings)
    spoil(s3, settings.registry_bucket)

    (found,) = pending(plan(settings))
    assert found.target == f"bucket {settings.registry_bucket}: {setting}"
    assert found.action is Action.CHANGE
    assert says in found.detail

    assert apply(found, settings) == found
    assert pending(plan(settings)) == []


def test_buckets_of_somebody_else_are_only_checked(settings, s3):
    bootstrap(settings)
    spoil_versioning(s3, settings.artifact_bucket)
    theirs = replace(settings, owned=False)

    steps = check(theirs)

    assert pending(steps) == []
    (found,) = [step for step in steps if step.action is Action.ATTENTION]
    assert found.target == f"bucket {settings.artifact_bucket}: versioning"
    assert "Terraform" in found.detail
    assert apply(found, theirs) == found
    assert s3.get_bucket_versioning(Bucket=settings.artifact_bucket)["Status"] == "Suspended"


def test_missing_buckets_of_somebody_else_are_reported_not_created(settings):
    steps = plan(replace(settings, owned=False))

    assert [step.action for step in steps] == [Action.ATTENTION, Action.ATTENTION]
    assert "does not exist" in steps[0].detail


def test_four_bootstraps_at_once_all_succeed(settings):
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(bootstrap, [settings] * 4))

    assert all(step.action is not Action.ATTENTION for run in runs for step in run)
    assert pending(plan(settings)) == []


def test_objects_survive_the_mending(settings, s3):
    bootstrap(settings)
    s3.put_object(Bucket=settings.artifact_bucket, Key="model", Body=b"weights")
    spoil_encryption(s3, settings.artifact_bucket)

    bootstrap(settings)

    assert (
        client(settings).get_object(Bucket=settings.artifact_bucket, Key="model")["Body"].read() == b"weights"
    )
