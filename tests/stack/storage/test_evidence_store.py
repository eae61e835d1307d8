"""Evidence in a real object store: written once, whole, and never taken for what it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlflowctl.errors import ConflictError, NotFoundError, UnavailableError
from mlflowctl.registry.evidence import store
from mlflowctl.registry.evidence.model import sha256, to_json

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.unit import evidence_samples as samples

PAGE = "<!doctype html><title>ä</title>"


@pytest.fixture
def bucket(settings, s3):
    s3.create_bucket(Bucket=settings.registry_bucket)
    return settings.registry_bucket


def test_both_files_are_there_with_their_types_and_read_back(settings, s3, bucket):
    evidence = samples.undecided()

    stored = store.write(settings, evidence, PAGE)

    assert stored.key == "evidence/churn/8/20261124T220531Z-0f3b9c52d1e84c7f9a6e2b7d4c1a8e55/"
    assert store.read(settings, stored.key, stored.sha256) == evidence
    page = s3.get_object(Bucket=bucket, Key=stored.key + "report.html")
    assert page["Body"].read() == PAGE.encode()
    assert page["ContentType"] == "text/html; charset=utf-8"
    body = s3.get_object(Bucket=bucket, Key=stored.key + "evidence.json")
    assert body["ContentType"] == "application/json"
    assert sha256(body["Body"].read()) == stored.sha256


def test_a_name_that_needs_quoting_can_be_written_and_read(settings, bucket):
    evidence = samples.passed(model="größe/a b%20?#")
    stored = store.write(settings, evidence, PAGE)

    assert store.read(settings, stored.key, stored.sha256) == evidence


def test_writing_the_same_twice_is_one_writing(settings, bucket):
    assert store.write(settings, samples.passed(), PAGE) == store.write(settings, samples.passed(), PAGE)


def test_what_stands_there_is_never_overwritten(settings, bucket):
    stored = store.write(settings, samples.passed(), PAGE)

    with pytest.raises(ConflictError, match="never overwritten"):
        store.write(settings, samples.passed(reason="another"), PAGE)

    assert store.read(settings, stored.key, stored.sha256) == samples.passed()


def test_evidence_that_was_changed_is_told_from_what_the_ledger_knows(settings, s3, bucket):
    stored = store.write(settings, samples.failed(), PAGE)
    s3.put_object(Bucket=bucket, Key=stored.key + "evidence.json", Body=to_json(samples.passed()))

    with pytest.raises(ConflictError, match="was changed") as caught:
        store.read(settings, stored.key, stored.sha256)

    assert stored.sha256 in caught.value.what
    assert store.read(settings, stored.key, None) == samples.passed(), "only the ledger can tell"


def test_evidence_that_is_gone_is_not_found(settings, bucket):
    with pytest.raises(NotFoundError, match="There is no evidence at evidence/churn/9/x/"):
        store.read(settings, "evidence/churn/9/x/", "0" * 64)


def test_without_the_bucket_the_error_names_the_remedy(settings):
    with pytest.raises(UnavailableError) as caught:
        store.write(settings, samples.passed(), PAGE)

    assert caught.value.next == "mlflowctl bootstrap"
