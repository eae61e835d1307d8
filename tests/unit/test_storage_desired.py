"""The desired state as data: what the audit trail may rely on, and what others compare themselves with."""

from __future__ import annotations

import json

import pytest

from mlflowctl.storage import S3Settings, lifecycle
from mlflowctl.storage.desired import NEVER_EXPIRED, as_json, lifecycle_rules, tls_only_statement


@pytest.mark.parametrize("role", ["artifacts", "registry"])
def test_incomplete_uploads_are_aborted_after_a_week(role):
    days = [
        rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        for rule in lifecycle_rules(role)
    ]
    assert 7 in days


@pytest.mark.parametrize("role", ["artifacts", "registry"])
def test_no_current_object_and_no_audit_trail_ever_expires(role):
    assert not any(lifecycle.destroys_what_must_stay(rule, role) for rule in lifecycle_rules(role))


@pytest.mark.parametrize("prefix", ["", "l", "ledger/", "ledger/model/", "evidence/", "evid"])
def test_a_rule_that_reaches_the_audit_trail_is_recognised(prefix):
    rule = {
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    assert lifecycle.destroys_what_must_stay(rule, "registry")
    assert not lifecycle.destroys_what_must_stay({**rule, "Status": "Disabled"}, "registry")


def test_the_spelling_of_a_rule_is_no_drift():
    wanted = lifecycle_rules("artifacts")
    spelled = [{**rule, "ID": f"renamed-{number}", "Filter": {}} for number, rule in enumerate(wanted)]
    assert lifecycle.difference(spelled[::-1], wanted, "artifacts", owned=True) == ""


def test_further_rules_of_another_owner_are_theirs_unless_they_destroy():
    tiering = {
        "ID": "tier",
        "Status": "Enabled",
        "Filter": {},
        "Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}],
    }
    purge = {"ID": "purge", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
    wanted = lifecycle_rules("artifacts")

    assert lifecycle.difference([*wanted, tiering], wanted, "artifacts", owned=False) == ""
    assert "'purge' expires" in lifecycle.difference([*wanted, purge], wanted, "artifacts", owned=False)
    assert lifecycle.difference([*wanted, tiering], wanted, "artifacts", owned=True) == "removes 'tier'"


def test_the_export_is_complete_json():
    state = json.loads(as_json())
    assert set(state) == {"artifacts", "registry", "never expired"}
    assert tuple(state["never expired"]) == NEVER_EXPIRED
    assert state["registry"]["versioning"] == {"Status": "Enabled"}


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_policy_names_the_bucket_in_its_partition(region, partition):
    assert f"arn:{partition}:s3:::b/*" in tls_only_statement("b", region)["Resource"]


def test_secrets_stay_out_of_reprs():
    shown = repr(S3Settings("http://s", "r", "key", "hidden-one", session_token="hidden-two"))
    assert "hidden" not in shown
