"""``policy check``: is the policy file well, and what does it ask for?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.command import JsonOption, command
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

if TYPE_CHECKING:
    from mlflowctl.registry.live_policy import Live, LiveMetric
    from mlflowctl.registry.policy import Metric, Policy

COLUMNS = ("metric", "from", "better", "role", "rule", "margin", "threshold")


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="What a model version must show before it may serve.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("check")(check)
    # With one command Typer would drop the group's name without a callback.
    group.callback()(_group)
    app.add_typer(group, name="policy")


def _group() -> None:
    """What a model version must show before it may serve."""


@command("policy.check")
def check(
    console: Console,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy file.")] = Path("promotion.yaml"),
    as_json: JsonOption = False,
) -> Any:
    """Check a policy file. Shows what it asks for, or everything that is wrong in it."""
    from mlflowctl.registry import policy_file

    try:
        policies = policy_file.load(file)
    except UsageError as exc:
        if exc.result:
            _tell_problems(console, exc, file)
        raise
    answer = [_as_dict(policy) for policy in policies.values()]
    for policy, described in zip(policies.values(), answer, strict=True):
        _tell(console, policy, described["metrics"])
    return {"file": str(file), "models": answer}


def _tell_problems(console: Console, error: UsageError, file: Path) -> None:
    from mlflowctl.registry.policy_problems import listed
    from mlflowctl.registry.policy_yaml import Problem

    found = [Problem(**one) for one in error.result["problems"]]
    for line in listed(found, str(file)):
        console.result(line)
    error.what = f"{file} is no valid policy: {len(found)} problem{'s' if len(found) > 1 else ''}."
    error.next = (
        f"Mend these lines (docs/policy.md describes every field), then: mlflowctl policy check {file}"
    )


def _tell(console: Console, policy: Policy, metrics: list[dict[str, Any]]) -> None:
    holdout = f"holdout {policy.holdout.data}" if policy.holdout else "no holdout"
    console.result(
        f"{policy.model}: alpha {policy.alpha:g}, {holdout}, approvals {policy.approvals}, "
        f"live share {policy.live_share:g}, digest {policy.digest[:12]}"
    )
    if ramp := _ramp(policy.live):
        console.result(ramp)
    console.table(COLUMNS, [[_cell(value) for value in list(one.values())[:7]] for one in metrics])
    console.result("")


def _ramp(live: Live) -> str:
    """Live traffic in one line; "" if only the share was chosen."""
    steps = ", ".join(f"{one.share:g} for {one.minutes:g} min" for one in live.steps if one.minutes)
    facts = [
        f"live steps {steps}" if steps else "",
        f"minimum {live.minimum:,}" if steps or live.minimum != type(live).minimum else "",
        "sticky" if live.sticky else "",
        "promotes by itself" if live.promote else "",
        f"bakes {live.bake_minutes:g} min" if steps or live.bake_minutes != type(live).bake_minutes else "",
    ]
    return ", ".join(one for one in facts if one)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _as_dict(policy: Policy) -> dict[str, Any]:
    return {
        "model": policy.model,
        "digest": policy.digest,
        "alpha": policy.alpha,
        "seed": policy.seed,
        "auto_stage": policy.auto_stage,
        "holdout": policy.holdout.data if policy.holdout else None,
        "target": policy.holdout.target if policy.holdout else None,
        "metrics": [
            *(_metric(one, "holdout", one.function) for one in policy.metrics),
            *(_metric(one, one.source, one.metric or one.data) for one in policy.business),
            *(_metric(one, f"live {one.source}", _measured(one)) for one in policy.live.metrics),
        ],
        "environment": policy.checks.environment,
        "custom": list(policy.checks.custom),
        "approvals": policy.approvals,
        "live_share": policy.live_share,
        "live": _live(policy.live),
        "keep_archived": policy.keep_archived,
    }


def _metric(metric: Metric, kind: str, value: str) -> dict[str, Any]:
    """One metric; the first seven fields are the columns of the table."""
    compared = metric.role != "threshold"
    return {
        "name": metric.name,
        "kind": kind,
        "direction": metric.direction,
        "role": metric.role,
        "rule": metric.rule if compared else "",
        "margin": metric.margin if compared else None,
        "threshold": metric.threshold,
        "value": value,
    }


def _measured(metric: LiveMetric) -> str:
    """Where a metric of live traffic comes from, in a word."""
    return {"errors": "status", "latency": f"quantile {metric.quantile:g}"}.get(metric.source, metric.data)


def _live(live: Live) -> dict[str, Any]:
    return {
        "steps": [{"share": one.share, "minutes": one.minutes} for one in live.steps],
        "minimum": live.minimum,
        "sticky": live.sticky,
        "promote": live.promote,
        "bake_minutes": live.bake_minutes,
    }
