"""The share of a challenger at the load balancer: in thousandths, refused where it would hurt."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.unit.cloud.samples import put

from mlflowctl.cloud import published, weights
from mlflowctl.cloud.published import Published, Served
from mlflowctl.errors import AccessError, NotFoundError, UnavailableError, UsageError

MODEL = "fraud detection"


@pytest.fixture
def serving(prod: Published) -> Published:
    """An environment that serves a model: a listener with the rule that modules/serving makes."""
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]][:2]
    balancer = elb.create_load_balancer(Name="fraud", Subnets=subnets, Scheme="internal")["LoadBalancers"][0]
    groups = {
        variant: elb.create_target_group(
            Name=f"fraud-{variant}", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        for variant in ("champion", "challenger")
    }
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]["ListenerArn"]  # fmt: skip
    at_first = [{"TargetGroupArn": groups["champion"], "Weight": 100}]
    at_first += [{"TargetGroupArn": groups["challenger"], "Weight": 0}]
    cookie = {"Enabled": False, "DurationSeconds": 3600}
    rule = elb.create_rule(
        ListenerArn=listener, Priority=3,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
        Actions=[{
            "Type": "forward",
            "ForwardConfig": {"TargetGroups": at_first, "TargetGroupStickinessConfig": cookie},
        }],
    )["Rules"][0]["RuleArn"]  # fmt: skip
    services = {variant: f"mlflow-prod-fraud-{variant}" for variant in groups}
    served = Served("http://fraud", rule, groups, "mlflow-prod", services)
    return replace(prod, serving={MODEL: served})


def alive(serving: Published, *variants: str) -> None:
    """Register a target, which moto calls healthy, with the groups of these variants."""
    for variant in variants:
        boto3.client("elbv2").register_targets(
            TargetGroupArn=serving.serving[MODEL].groups[variant], Targets=[{"Id": "172.31.0.9"}]
        )


def rule(serving: Published) -> dict[str, Any]:
    found = boto3.client("elbv2").describe_rules(RuleArns=[serving.serving[MODEL].rule])["Rules"][0]
    return dict(found["Actions"][0]["ForwardConfig"])


@pytest.mark.parametrize(
    ("share", "champion", "challenger"),
    [
        (0.0, 999, 0), (1.0, 0, 999), (0.05, 950, 50), (0.25, 750, 250), (0.5, 500, 500),
        (0.0004, 999, 1), (0.9999, 1, 999), (0.1234, 877, 123),
    ],
)  # fmt: skip
def test_a_share_becomes_thousandths_and_never_rounds_to_nothing(share, champion, challenger):
    assert weights.weights(share) == {"champion": champion, "challenger": challenger}


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_what_is_no_share_is_refused(share: float):
    with pytest.raises(UsageError, match="between 0 and 1"):
        weights.weights(share)


def test_a_share_is_set_and_read(serving: Published):
    assert weights.read_weights(serving, MODEL) == 0.0
    alive(serving, "champion", "challenger")
    for share in (0.01, 0.05, 0.25, 0.5):
        weights.set_weights(serving, MODEL, share)
        assert weights.read_weights(serving, MODEL) == pytest.approx(share)
    served = serving.serving[MODEL]
    told = {one["TargetGroupArn"]: one["Weight"] for one in rule(serving)["TargetGroups"]}
    assert told == {served.groups["champion"]: 500, served.groups["challenger"]: 500}
    conditions = boto3.client("elbv2").describe_rules(RuleArns=[served.rule])["Rules"][0]["Conditions"]
    assert [one["Field"] for one in conditions] == ["path-pattern"], "nothing else of the rule changes"


def test_the_cookie_is_left_alone_unless_it_is_asked_for(serving: Published):
    alive(serving, "challenger")
    weights.set_weights(serving, MODEL, 0.05)
    assert rule(serving)["TargetGroupStickinessConfig"] == {"Enabled": False, "DurationSeconds": 3600}
    weights.set_weights(serving, MODEL, 0.05, sticky=True)
    assert rule(serving)["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 3600}
    weights.set_weights(serving, MODEL, 0.0, sticky=False)
    assert rule(serving)["TargetGroupStickinessConfig"] == {"Enabled": False, "DurationSeconds": 3600}
    assert weights.read_weights(serving, MODEL) == 0.0


def test_a_share_grows_only_onto_a_healthy_challenger_and_shrinks_always(serving: Published):
    alive(serving, "champion")
    with pytest.raises(
        UnavailableError, match="No task of the challenger of model 'fraud detection'"
    ) as caught:
        weights.set_weights(serving, MODEL, 0.05)
    assert caught.value.state == "The weights were not changed."
    assert "mlflow-prod-fraud-challenger" in caught.value.next
    assert weights.read_weights(serving, MODEL) == 0.0
    alive(serving, "challenger")
    weights.set_weights(serving, MODEL, 0.25)
    boto3.client("elbv2").deregister_targets(
        TargetGroupArn=serving.serving[MODEL].groups["challenger"], Targets=[{"Id": "172.31.0.9"}]
    )
    weights.set_weights(serving, MODEL, 0.05)
    weights.set_weights(serving, MODEL, 0.0)
    assert weights.read_weights(serving, MODEL) == 0.0


def test_what_is_already_so_is_not_written_again(serving: Published, monkeypatch: pytest.MonkeyPatch):
    alive(serving, "challenger")
    weights.set_weights(serving, MODEL, 0.05)
    client = Refusing("ModifyRule")
    monkeypatch.setattr(weights.aws, "client", lambda service, region: client)
    weights.set_weights(serving, MODEL, 0.05)
    assert client.asked == ["describe_rules"]


class Refusing:
    """elbv2 that refuses one operation as AWS does; moto asks nobody for permissions here."""

    def __init__(self, operation: str, code: str = "AccessDenied") -> None:
        self.elb, self.operation, self.code = boto3.client("elbv2"), operation, code
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def ask(**arguments: Any) -> Any:
            self.asked.append(name)
            if name.replace("_", "") == self.operation.lower():
                raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, self.operation)
            return getattr(self.elb, name)(**arguments)

        return ask


@pytest.mark.parametrize("operation", ["DescribeRules", "DescribeTargetHealth", "ModifyRule"])
def test_a_missing_right_is_named(serving: Published, monkeypatch: pytest.MonkeyPatch, operation: str):
    alive(serving, "challenger")
    client = Refusing(operation)
    monkeypatch.setattr(weights.aws, "client", lambda service, region: client)
    with pytest.raises(AccessError, match=f"it lacks elasticloadbalancing:{operation}") as caught:
        weights.set_weights(serving, MODEL, 0.05)
    assert caught.value.state == "The weights were not changed."


def test_a_model_that_nobody_serves_names_those_that_are(serving: Published):
    with pytest.raises(NotFoundError, match=r"does not serve model 'churn' \(served: fraud detection\)"):
        weights.read_weights(serving, "churn")
    with pytest.raises(NotFoundError, match=r"\(served: none\)"):
        weights.set_weights(replace(serving, serving={}), MODEL, 0.05)


def test_a_rule_that_is_gone_says_what_to_do(serving: Published):
    boto3.client("elbv2").delete_rule(RuleArn=serving.serving[MODEL].rule)
    with pytest.raises(NotFoundError, match="does not exist any more") as caught:
        weights.set_weights(serving, MODEL, 0.05)
    assert caught.value.next == "mlflowctl cloud apply --context prod"


def test_a_rule_that_somebody_changed_by_hand_is_not_guessed_about(serving: Published):
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    boto3.client("elbv2").modify_rule(RuleArn=serving.serving[MODEL].rule, Actions=[answer])
    with pytest.raises(NotFoundError, match="forwards to no target groups any more"):
        weights.read_weights(serving, MODEL)


def test_what_is_served_is_published_and_an_earlier_release_published_nothing(serving: Published):
    document = json.loads(json.dumps(asdict(serving))) | {"schema": published.SCHEMA}
    put(document)
    assert published.get("prod") == serving
    del document["serving"]
    put(document)
    assert published.get("prod") == replace(serving, serving={})
