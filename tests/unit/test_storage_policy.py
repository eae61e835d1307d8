"""Policies are judged by what they do; stores and Terraform spell the same thing in several ways."""

from __future__ import annotations

import pytest

from mlflowctl.storage import policy
from mlflowctl.storage.desired import tls_only_statement

REGION = "eu-west-1"
OURS = tls_only_statement("b", REGION)
PUBLIC = {
    "Sid": "Open",
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::b/*",
}
NAMED = {**PUBLIC, "Sid": "Team", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}


@pytest.mark.parametrize(
    "spelling",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["*"]}},
        {"Action": ["s3:*"]},
        {"Sid": "Other"},
        {"Condition": {"Bool": {"aws:SecureTransport": ["false"]}}},
        {"Condition": {"Bool": {"aws:SecureTransport": False}}},
    ],
)
def test_the_same_refusal_in_another_spelling(spelling):
    assert policy.refuses_plain_http({**OURS, **spelling}, "b", REGION)


@pytest.mark.parametrize(
    "hole",
    [
        {"Effect": "Allow"},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::b"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {**OURS["Condition"], "StringEquals": {"aws:PrincipalTag/x": "y"}}},
        {"Condition": {}},
    ],
)
def test_a_refusal_with_a_hole_is_none(hole):
    assert not policy.refuses_plain_http({**OURS, **hole}, "b", REGION)


def test_public_grants_go_and_named_ones_stay():
    document = {"Version": "2012-10-17", "Statement": [PUBLIC, NAMED]}
    assert policy.public_grants(document) == ["Open"]
    assert policy.without_public_grants(document) == {**document, "Statement": [NAMED]}
    assert policy.without_public_grants({"Statement": PUBLIC}) is None


def test_an_older_statement_of_ours_is_replaced():
    weakened = {**OURS, "Action": "s3:GetObject"}
    document = policy.with_tls_only({"Version": "2012-10-17", "Statement": [NAMED, weakened]}, "b", REGION)
    assert document["Statement"] == [NAMED, OURS]
