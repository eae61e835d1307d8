"""What only AWS has, on moto's server: an emulator, since AWS itself cannot be had here."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from mlflowctl.plan import Action, pending
from mlflowctl.storage import S3Settings, apply, client, plan

moto_server = pytest.importorskip("moto.server", reason="needs moto[server]")


@pytest.fixture(scope="module")
def endpoint():
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def aws(endpoint, monkeypatch) -> S3Settings:
    """Settings of an AWS context; the emulator stands behind AWS_ENDPOINT_URL, as in Terraform's tests."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    unique = uuid4().hex[:12]
    return S3Settings(None, "eu-west-1", artifact_bucket=f"a-{unique}", registry_bucket=f"r-{unique}")


def test_everything_is_supported_and_the_second_run_has_nothing_to_do(aws):
    outcomes = [apply(step, aws) for step in plan(aws)]

    assert Action.UNSUPPORTED not in {step.action for step in outcomes}
    assert Action.ATTENTION not in {step.action for step in outcomes}
    assert {step.action for step in plan(aws)} == {Action.UNCHANGED}
    assert {step.action for step in plan(replace(aws, owned=False))} == {Action.UNCHANGED}


def test_a_public_access_block_that_was_opened_is_closed_again(aws):
    for step in plan(aws):
        apply(step, aws)
    client(aws).delete_public_access_block(Bucket=aws.registry_bucket)

    (found,) = pending(plan(aws))
    assert found.target.endswith("public-access block")
    apply(found, aws)

    assert pending(plan(aws)) == []


def test_statements_of_others_are_kept_beside_the_tls_only_one(aws):
    for step in plan(aws):
        apply(step, aws)
    theirs = {
        "Sid": "DataScience",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{aws.artifact_bucket}/*",
    }
    s3 = client(aws)
    document = {"Version": "2012-10-17", "Statement": [theirs]}
    s3.put_bucket_policy(Bucket=aws.artifact_bucket, Policy=json.dumps(document))

    (found,) = pending(plan(aws))
    apply(found, aws)

    policy = json.loads(s3.get_bucket_policy(Bucket=aws.artifact_bucket)["Policy"])
    assert {statement["Sid"] for statement in policy["Statement"]} == {"DataScience", "DenyInsecureTransport"}
