"""The challenger's share of the requests in AWS: the weights of one rule of the load balancer's listener.

Terraform (modules/serving) makes the rule and never looks at its weights again; here they are read and
changed. A load balancer knows whole weights from 0 to 999 and divides by their proportion. They are written
as thousandths, so a share is exact to 0.1 %; see :func:`weights`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlflowctl.cloud import aws
from mlflowctl.cloud.published import Published, Served
from mlflowctl.errors import NotFoundError, UnavailableError, UsageError
from mlflowctl.storage.errors import code_of

WHOLE = 1000  # what both weights add up to
MOST = 999  # the largest weight that a load balancer takes
NO_RULE = {"RuleNotFound", "RuleNotFoundException", "TargetGroupNotFound", "TargetGroupNotFoundException"}
COOKIE_SECONDS = 86400  # how long a client stays with its variant, where the rule does not say


def weights(share: float) -> dict[str, int]:
    """The two weights for a share, by variant.

    A share is rounded to thousandths. One above 0 never rounds to nothing and one below 1 never to
    everything; with nothing or everything, the other weight is 999, since 1000 is refused and only
    proportions count.

    Args:
        share: the challenger's, 0 to 1.

    Raises:
        UsageError: it is no share.
    """
    if not 0 <= share <= 1:  # also refuses NaN
        raise UsageError(
            f"A share is between 0 and 1, not {share:.4g}.",
            state="Nothing was changed.",
            next="Name a share such as 0.05",
        )
    if share in (0, 1):
        return {"champion": MOST * (share == 0), "challenger": MOST * (share == 1)}
    challenger = min(max(round(WHOLE * share), 1), MOST)
    return {"champion": WHOLE - challenger, "challenger": challenger}


def read_weights(found: Published, model: str) -> float:
    """The challenger's share that the load balancer holds now, 0 to 1.

    Args:
        found: the environment.
        model: name of the registered model.

    Raises:
        NotFoundError: the environment serves no such model, or its rule is gone.
        AccessError: these credentials may not look.
    """
    served = of_model(found, model)
    return _share(_forward(found, model, served), served)


def set_weights(found: Published, model: str, share: float, *, sticky: bool | None = None) -> None:
    """Give the challenger a share of the requests at the load balancer.

    Requests under way end where they are. A load balancer looks at no target's health when it divides: with a
    weight and without a healthy task a variant answers 503. So a share is only raised onto a healthy
    challenger; lowering it asks nothing.

    Args:
        found: the environment.
        model: name of the registered model.
        share: the challenger's, 0 to 1; :func:`weights` says how it is rounded.
        sticky: whether a cookie keeps a client with its variant; None leaves that as it is.

    Raises:
        UsageError: it is no share.
        NotFoundError: the environment serves no such model, or its rule is gone.
        UnavailableError: the share would grow, and no task of the challenger is healthy.
        AccessError: these credentials may not do it.
    """
    wanted, served = weights(share), of_model(found, model)
    now = _forward(found, model, served)
    held, cookie = _weights(now, served), dict(now.get("TargetGroupStickinessConfig") or {"Enabled": False})
    want_cookie = cookie
    if sticky is not None:
        want_cookie = {"DurationSeconds": COOKIE_SECONDS, **cookie, "Enabled": sticky}
    more = wanted["challenger"] * sum(held.values()) - held["challenger"] * sum(wanted.values())
    if more == 0 and want_cookie == cookie:
        return
    if more > 0:
        _refuse_unhealthy(found, model, served)
    _write(found, model, served, wanted, want_cookie)


def _write(
    found: Published, model: str, served: Served, wanted: Mapping[str, int], cookie: dict[str, Any]
) -> None:
    groups = [
        {"TargetGroupArn": served.groups[variant], "Weight": weight} for variant, weight in wanted.items()
    ]
    forward = {"TargetGroups": groups, "TargetGroupStickinessConfig": cookie}
    with _asking(found, f"change the weights of model {model!r}", "elasticloadbalancing:ModifyRule"):
        aws.client("elbv2", found.region).modify_rule(
            RuleArn=served.rule, Actions=[{"Type": "forward", "ForwardConfig": forward}]
        )


def of_model(found: Published, model: str) -> Served:
    """What the environment publishes about a served model. Raises NotFoundError if it serves none such."""
    served = found.serving.get(model)
    if served is None:
        known = ", ".join(sorted(found.serving)) or "none"
        raise NotFoundError(
            f"Environment {found.environment} does not serve model {model!r} (served: {known}).",
            state="Nothing was changed.",
            next=f"Name it in `serving` of the environment's file, then: mlflowctl cloud apply "
            f"--context {found.environment}",
        )
    return served


def _forward(found: Published, model: str, served: Served) -> dict[str, Any]:
    """The rule's forward action as the load balancer holds it."""
    permission = "elasticloadbalancing:DescribeRules"
    with _asking(found, f"look at the weights of model {model!r}", permission):
        rule = aws.client("elbv2", found.region).describe_rules(RuleArns=[served.rule])["Rules"][0]
    for action in rule["Actions"]:
        if action["Type"] == "forward" and "ForwardConfig" in action:
            return dict(action["ForwardConfig"])
    raise NotFoundError(
        f"The rule {served.rule} of model {model!r} forwards to no target groups any more.",
        state="Nothing was changed.",
        next=f"mlflowctl cloud plan --context {found.environment}   (somebody changed it by hand)",
    )


def _weights(forward: Mapping[str, Any], served: Served) -> dict[str, int]:
    told = {one["TargetGroupArn"]: int(one.get("Weight", 1)) for one in forward["TargetGroups"]}
    return {variant: told.get(group, 0) for variant, group in served.groups.items()}


def _share(forward: Mapping[str, Any], served: Served) -> float:
    held = _weights(forward, served)
    return held["challenger"] / (sum(held.values()) or 1)


def _refuse_unhealthy(found: Published, model: str, served: Served) -> None:
    permission = "elasticloadbalancing:DescribeTargetHealth"
    with _asking(found, f"look at the challenger of model {model!r}", permission):
        answer = aws.client("elbv2", found.region).describe_target_health(
            TargetGroupArn=served.groups["challenger"]
        )
    states = [one["TargetHealth"]["State"] for one in answer["TargetHealthDescriptions"]]
    if "healthy" in states:
        return
    raise UnavailableError(
        f"No task of the challenger of model {model!r} is healthy "
        f"({', '.join(sorted(states)) or 'none runs'}): its share of the requests would be answered 503.",
        state="The weights were not changed.",
        next=f"aws ecs describe-services --cluster {served.cluster} --services "
        f"{served.services['challenger']} --region {found.region}",
    )


@contextmanager
def _asking(found: Published, doing: str, permission: str) -> Iterator[None]:
    """Typed errors; a rule or group that is gone says what to do."""
    from botocore.exceptions import ClientError

    with aws.errors(doing, found.region, permission, state="The weights were not changed."):
        try:
            yield
        except ClientError as exc:
            if code_of(exc) not in NO_RULE:
                raise
            raise NotFoundError(
                f"Could not {doing}: the load balancer's rule or target group does not exist any more.",
                state="The weights were not changed.",
                next=f"mlflowctl cloud apply --context {found.environment}",
            ) from exc
