"""The TLS-only policy on the https port of a real SeaweedFS."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from mlflowctl.plan import Action, pending
from mlflowctl.storage import apply, client, clock_skew, plan


@pytest.fixture
def https(settings, weed, monkeypatch):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(weed.folder / "ca.crt"))
    return replace(settings, endpoint_url=f"https://127.0.0.1:{weed.ports['s3.https']}")


def test_over_https_plain_http_is_refused_and_nothing_is_locked_out(https, settings):
    outcomes = [apply(step, https) for step in plan(https)]

    assert [step.action for step in outcomes if step.target.endswith("TLS-only policy")] == [
        Action.CREATE
    ] * 2
    assert pending(plan(https)) == []
    client(https).put_object(Bucket=https.artifact_bucket, Key="model", Body=b"weights")
    with pytest.raises(ClientError, match="AccessDenied"):
        client(settings).get_object(Bucket=https.artifact_bucket, Key="model")
    assert abs(clock_skew(https)) < 2
