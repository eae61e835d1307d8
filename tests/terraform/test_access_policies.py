"""What the policies of modules/access allow and deny, and whether what clients really ask is among it.

The documents come from the module's examples, applied on the emulator; they are judged by the evaluator in
``iam_policies.py``, held against AWS's own list of actions, and replayed with the S3 calls that
``record_s3_calls.py`` recorded. No policy was tried in an AWS account.
"""

from __future__ import annotations

import json

import pytest

from tests.terraform import access_policies
from tests.terraform.emulator import ACCOUNT, REGION
from tests.terraform.iam_policies import Policy, problems
from tests.terraform.record_s3_calls import RECORDED
from tests.terraform.s3_requests import VIA_S3, refused

pytestmark = pytest.mark.xdist_group("access-policies")
BUCKETS = {role: f"arn:aws:s3:::mlflow-prod-{ACCOUNT}-{role}" for role in ("artifacts", "registry")}
ARTIFACTS, REGISTRY = BUCKETS["artifacts"], BUCKETS["registry"]
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
LOGIN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:mlflow-login-ci-AbCdEf"
ADMIN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:mlflow-prod-admin-20260101-AbCdEf"
# The rule in the module's example.
_ID = "0123456789abcdef"
RULE = (
    f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/app/mlflow-prod-fraud/{_ID}/{_ID}/{_ID}"
)
ABSENT = {"s3:if-none-match": "*"}
SAME = {"s3:if-match": '"0123"'}

# Who makes which recorded calls in AWS.
ACTORS = {"smoke-test": "trainer", "training": "trainer", "promotion": "promoter", "reading": "reader"}


@pytest.fixture(scope="module")
def documents(needs_terraform: str) -> dict[str, dict[str, str]]:
    return access_policies.documents()


@pytest.fixture(scope="module")
def roles(needs_terraform: str) -> dict[str, dict[str, Policy]]:
    return access_policies.roles()


def test_aws_knows_every_action_resource_and_condition(documents: dict[str, dict[str, str]]) -> None:
    found = [
        f"{name}/{statement['Sid']}: {problem}"
        for group in documents.values()
        for name, text in group.items()
        for statement in json.loads(text)["Statement"]
        for problem in problems(statement)
    ]
    assert not found


def test_documents_fit_into_iam(documents: dict[str, dict[str, str]]) -> None:
    """6144 characters a managed policy, ten of them on one role."""
    assert len(documents["deployer"]) <= 10
    assert all(len(text) <= 6144 for group in documents.values() for text in group.values())


def test_nothing_but_reading_has_an_open_resource(documents: dict[str, dict[str, str]]) -> None:
    """A write on every resource is a condition on tags, or one of those that AWS cannot narrow."""
    unnarrowed = {
        "ecs:DeregisterTaskDefinition",
        "elasticloadbalancing:SetWebAcl",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DeleteResourcePolicy",
        "logs:PutResourcePolicy",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
        "backup-storage:MountCapsule",
        "secretsmanager:GetRandomPassword",
    }
    reading = ("Describe", "List", "Get")
    for group in documents.values():
        for text in group.values():
            for one in json.loads(text)["Statement"]:
                assert not any(action.endswith("*") and action != "s3:GetBucket*" for action in one["Action"])
                if one["Resource"] == "*" and "Condition" not in one:
                    writes = {a for a in one["Action"] if not a.split(":")[1].startswith(reading)}
                    assert writes <= unnarrowed


# What was recorded


@pytest.mark.parametrize("mode", ["proxied", "direct"])
@pytest.mark.parametrize("who", sorted(ACTORS))
def test_recorded_calls_are_allowed(mode: str, who: str, roles: dict[str, dict[str, Policy]]) -> None:
    calls = json.loads(RECORDED.read_text())["calls"][mode].get(who, [])
    assert calls or (mode, who) == ("proxied", "training"), "nothing was recorded"
    assert not refused(roles[mode][ACTORS[who]], calls, BUCKETS, KEY)


@pytest.mark.parametrize("mode", ["proxied", "direct"])
def test_a_promotion_is_refused_to_reader_and_trainer(mode: str, roles: dict[str, dict[str, Policy]]) -> None:
    promotion = json.loads(RECORDED.read_text())["calls"][mode]["promotion"]
    writes = [one for one in promotion if one["operation"] == "PutObject" and one["bucket"] == "registry"]
    for role in ("reader", "trainer"):
        for one in writes:
            assert refused(roles[mode][role], [one], BUCKETS, KEY)


def test_the_record_holds_every_part() -> None:
    """Whoever records again with less than everything would weaken the tests above unseen."""
    calls = json.loads(RECORDED.read_text())["calls"]
    assert set(calls["proxied"]) == {"bootstrap", "smoke-test", "promotion", "reading", "server"}
    assert set(calls["direct"]) == {"bootstrap", "smoke-test", "training", "promotion", "reading"}
    written = {
        (one["key"].split("/")[0], *one["headers"])
        for one in calls["proxied"]["promotion"]
        if one["operation"] == "PutObject"
    }
    assert written == {
        ("ledger", "if-none-match"),
        ("evidence", "if-none-match"),
        ("leases", "if-none-match"),
        ("leases", "if-match"),
    }


# Reader, trainer, promoter: action, resource, what the request says, who is allowed


EVERYBODY = {"reader", "trainer", "promoter"}
ROLE_TABLE: list[tuple[str, str, str, dict[str, str], set[str]]] = [
    ("proxied", "s3:GetObject", f"{REGISTRY}/ledger/m/000000000001.json", {}, EVERYBODY),
    ("proxied", "s3:GetObject", f"{ARTIFACTS}/1/run/artifacts/model", {}, set()),
    ("direct", "s3:GetObject", f"{ARTIFACTS}/1/run/artifacts/model", {}, EVERYBODY),
    ("proxied", "s3:PutObject", f"{ARTIFACTS}/1/run/artifacts/model", {}, set()),
    ("direct", "s3:PutObject", f"{ARTIFACTS}/1/run/artifacts/model", {}, {"trainer", "promoter"}),
    ("direct", "s3:DeleteObject", f"{ARTIFACTS}/1/run/artifacts/model", {}, {"trainer"}),
    ("direct", "s3:DeleteObjectVersion", f"{ARTIFACTS}/1/run/artifacts/model", {}, set()),
    # The ledger and evidence are appended to, never overwritten, never deleted.
    ("proxied", "s3:PutObject", f"{REGISTRY}/ledger/m/000000000001.json", ABSENT, {"promoter"}),
    ("proxied", "s3:PutObject", f"{REGISTRY}/ledger/m/000000000001.json", {}, set()),
    ("proxied", "s3:PutObject", f"{REGISTRY}/ledger/m/000000000001.json", SAME, set()),
    ("proxied", "s3:PutObject", f"{REGISTRY}/evidence/m/1/e/evidence.json", ABSENT, {"promoter"}),
    ("proxied", "s3:PutObject", f"{REGISTRY}/evidence/m/1/e/evidence.json", {}, set()),
    ("proxied", "s3:DeleteObject", f"{REGISTRY}/ledger/m/000000000001.json", {}, set()),
    ("direct", "s3:DeleteObject", f"{REGISTRY}/ledger/m/000000000001.json", {}, set()),
    ("direct", "s3:DeleteObjectVersion", f"{REGISTRY}/ledger/m/000000000001.json", {}, set()),
    ("proxied", "s3:PutObject", f"{REGISTRY}/leases/m.json", ABSENT, {"promoter"}),
    ("proxied", "s3:PutObject", f"{REGISTRY}/leases/m.json", SAME, {"promoter"}),
    ("proxied", "s3:PutObject", f"{REGISTRY}/leases/m.json", {}, set()),
    ("proxied", "s3:DeleteObject", f"{REGISTRY}/leases/m.json", {}, set()),
    ("proxied", "s3:PutObject", f"{REGISTRY}/elsewhere.json", ABSENT, set()),
    # What gateways recorded is read; it is written by the model servers alone.
    ("proxied", "s3:GetObject", f"{REGISTRY}/records/m/g/000000000001.jsonl.gz", {}, EVERYBODY),
    ("proxied", "s3:PutObject", f"{REGISTRY}/records/m/g/000000000001.jsonl.gz", ABSENT, set()),
    # Outcomes decide about promotions: whoever promotes may report them, and nobody overwrites one.
    ("proxied", "s3:GetObject", f"{REGISTRY}/outcomes/m/1.jsonl", {}, EVERYBODY),
    ("proxied", "s3:PutObject", f"{REGISTRY}/outcomes/m/1.jsonl", ABSENT, {"promoter"}),
    ("proxied", "s3:PutObject", f"{REGISTRY}/outcomes/m/1.jsonl", {}, set()),
    # Whoever promotes gives a challenger its share: the weights of one rule, no more.
    ("proxied", "elasticloadbalancing:ModifyRule", RULE, {}, {"promoter"}),
    ("proxied", "elasticloadbalancing:ModifyRule", RULE.replace("fraud", "churn"), {}, set()),
    ("proxied", "elasticloadbalancing:DeleteRule", RULE, {}, set()),
    ("proxied", "elasticloadbalancing:ModifyListener", RULE.replace("-rule", ""), {}, set()),
    ("proxied", "elasticloadbalancing:DescribeRules", "*", {}, {"promoter"}),
    ("proxied", "elasticloadbalancing:DescribeTargetHealth", "*", {}, {"promoter"}),
    # Settings are looked at, not changed.
    ("direct", "s3:GetBucketVersioning", REGISTRY, {}, EVERYBODY),
    ("direct", "s3:PutBucketVersioning", REGISTRY, {}, set()),
    ("direct", "s3:PutBucketPolicy", ARTIFACTS, {}, set()),
    ("direct", "s3:DeleteBucket", ARTIFACTS, {}, set()),
    ("direct", "s3:ListAllMyBuckets", "*", {}, set()),
    # Other environments, whose names begin alike.
    ("direct", "s3:GetObject", f"arn:aws:s3:::mlflow-prod2-{ACCOUNT}-artifacts/model", {}, set()),
    ("direct", "s3:ListBucket", f"arn:aws:s3:::mlflow-prod-{ACCOUNT}-artifacts-copy", {}, set()),
    # The key opens objects of S3 and the parameter, and nothing else.
    ("proxied", "kms:Decrypt", KEY, VIA_S3, EVERYBODY),
    ("proxied", "kms:Decrypt", KEY, {}, set()),
    ("proxied", "kms:Decrypt", KEY, {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}, EVERYBODY),
    ("proxied", "kms:Encrypt", KEY, {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}, set()),
    ("proxied", "kms:Decrypt", KEY, {"kms:ViaService": f"rds.{REGION}.amazonaws.com"}, set()),
    ("proxied", "kms:GenerateDataKey", KEY, VIA_S3, {"promoter"}),
    ("direct", "kms:GenerateDataKey", KEY, VIA_S3, {"trainer", "promoter"}),
    ("direct", "kms:Decrypt", KEY[:-1] + "6", VIA_S3, set()),
    ("direct", "kms:ScheduleKeyDeletion", KEY, VIA_S3, set()),
    # Logins.
    ("proxied", "secretsmanager:GetSecretValue", LOGIN, {}, {"promoter"}),
    ("proxied", "secretsmanager:GetSecretValue", ADMIN, {}, set()),
    ("proxied", "secretsmanager:PutSecretValue", LOGIN, {}, set()),
    (
        "proxied",
        "ssm:GetParameter",
        f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/mlflowctl/prod",
        {},
        EVERYBODY,
    ),
    ("proxied", "ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/mlflowctl/dev", {}, set()),
    ("proxied", "ssm:PutParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/mlflowctl/prod", {}, set()),
    ("proxied", "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/mlflow-prod-x", {}, set()),
    ("proxied", "rds:DescribeDBInstances", "*", {}, set()),
]


@pytest.mark.parametrize(
    ("mode", "action", "resource", "says", "expected"),
    ROLE_TABLE,
    ids=[f"{mode}-{action}-{number}" for number, (mode, action, *_) in enumerate(ROLE_TABLE)],
)
def test_role(
    mode: str,
    action: str,
    resource: str,
    says: dict[str, str],
    expected: set[str],
    roles: dict[str, dict[str, Policy]],
) -> None:
    allowed = {role for role, policy in roles[mode].items() if policy.allows(action, resource, **says)}
    assert allowed == expected
