"""The quick requests of leases and ledger answer what boto3 answers, on a real store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from mlflowctl.errors import AccessError, UnavailableError
from mlflowctl.registry.objects import Objects
from mlflowctl.storage.quick import QuickS3

KEYS = [
    "ledger/churn/000000000001.json",
    "ledger/a%20b%C3%BC/1.json",
    "leases/it's (one) + two & three~.json",
]
WRITE = {"Key": "k", "Body": b"", "ContentType": "text/plain"}


@pytest.fixture
def quick(settings, s3) -> QuickS3:
    s3.create_bucket(Bucket=settings.registry_bucket)
    return QuickS3(settings, read_timeout=10, connect_timeout=3, attempts=2)


@pytest.mark.parametrize("key", KEYS)
def test_either_reads_what_the_other_wrote(quick, s3, settings, key):
    bucket = settings.registry_bucket
    ours = quick.put_object(Bucket=bucket, Key=key, Body=b"quick", ContentType="application/json")
    theirs = s3.get_object(Bucket=bucket, Key=key)
    assert (theirs["Body"].read(), theirs["ETag"]) == (b"quick", ours["ETag"])
    assert theirs["ContentType"] == "application/json"
    written = s3.put_object(Bucket=bucket, Key=key, Body=b"boto3")
    found, again = quick.get_object(Bucket=bucket, Key=key), s3.get_object(Bucket=bucket, Key=key)
    assert (found["Body"].read(), found["ETag"]) == (b"boto3", written["ETag"])
    assert found["LastModified"] == again["LastModified"]
    assert found["ResponseMetadata"]["HTTPHeaders"]["date"]


def test_lists_are_the_same_page_by_page(quick, s3, settings):
    bucket = settings.registry_bucket
    for key in [*KEYS, "ledger/churn/000000000002.json"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for start, limit in (("", 1000), ("", 1), (KEYS[0], 1000), ("ledger/churn/9", 1000)):
        asked = {"Bucket": bucket, "Prefix": "ledger/", "StartAfter": start, "MaxKeys": limit}
        theirs = [one["Key"] for one in s3.list_objects_v2(**asked).get("Contents", [])]
        assert [one["Key"] for one in quick.list_objects_v2(**asked)["Contents"]] == theirs


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c, b: c.get_object(Bucket=b, Key="none"), "NoSuchKey"),
        (lambda c, b: c.get_object(Bucket=f"{b}-none", Key="none"), "NoSuchBucket"),
        (lambda c, b: c.put_object(Bucket=b, **WRITE, IfNoneMatch="*"), "PreconditionFailed"),
        (lambda c, b: c.put_object(Bucket=b, **WRITE, IfMatch='"0"'), "PreconditionFailed"),
    ],
    ids=["no key", "no bucket", "there already", "changed meanwhile"],
)  # fmt: skip
def test_refusals_carry_the_same_code(quick, s3, settings, call, code):
    s3.put_object(Bucket=settings.registry_bucket, Key="k", Body=b"x")
    for client in (quick, s3):
        with pytest.raises(ClientError) as refused:
            call(client, settings.registry_bucket)
        assert refused.value.response["Error"]["Code"] in (
            code,
            "NoSuchKey" if code == "NoSuchBucket" else code,
        )


def test_a_wrong_secret_a_wrong_key_and_a_closed_port_are_told_as_everywhere(quick, settings):
    for wrong in ({"secret_access_key": "wrong"}, {"access_key_id": "nobody"}):
        with pytest.raises(AccessError):
            Objects(replace(settings, **wrong)).get("k")
    with pytest.raises(UnavailableError, match="cannot be reached"):
        Objects(replace(settings, endpoint_url="http://127.0.0.1:9")).get("k")
