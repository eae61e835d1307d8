"""``promotion.yaml`` as policies: what was left out is filled in, and the digest is made of what it means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mlflowctl.errors import UsageError
from mlflowctl.registry.live_policy import ERROR_RATE, Live, LiveMetric, RampStep
from mlflowctl.registry.policy import Business, Checks, Holdout, Metric, Policy
from mlflowctl.registry.policy_problems import examine, problems
from mlflowctl.registry.policy_rules import did_you_mean, function_of, known_direction, rule_of
from mlflowctl.registry.policy_yaml import LIMIT, Problem

__all__ = ["DEFAULT", "Problem", "for_model", "load", "problems"]

DEFAULT = Path("promotion.yaml")
UNCHANGED = "Nothing was changed."
HOW_TO_MAKE_ONE = "docs/policy.md says how to write one; docs/examples/promotion.yaml is one to copy."


def load(path: Path) -> dict[str, Policy]:
    """All policies of a file, by the name of the model.

    Args:
        path: of the YAML file; relative locations in it start in its folder.

    Raises:
        UsageError: the file cannot be read, or something is wrong in it; then ``result`` holds ``file`` and
            ``problems``, each with path, line and message.
    """
    document = examine(_text(path))
    if document.problems:
        raise _refused(path, document.problems)
    folder = str(path.absolute().parent)
    models: Mapping[str, Any] = document.data["models"]
    return {name: _policy(name, section, folder) for name, section in models.items()}


def for_model(path: Path, model: str) -> Policy:
    """The policy of one model.

    Args:
        path: of the YAML file.
        model: name of the registered model.

    Raises:
        UsageError: as :func:`load`, or the file says nothing about this model.
    """
    policies = load(path)
    if model in policies:
        return policies[model]
    close = did_you_mean(model, policies)
    raise UsageError(
        f"{path} has no policy for model {model!r}{f'; did you mean {close!r}?' if close else '.'}",
        state=f"It has policies for: {', '.join(policies)}.",
        next=f"Add models.{model} to {path}; docs/policy.md describes every field.",
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            content = handle.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise UsageError(
                f"{path} has more than {LIMIT // 1_000_000} MB, so it is no policy file.",
                state=UNCHANGED,
                next=HOW_TO_MAKE_ONE,
            )
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no policy file {path}.", state=UNCHANGED, next=HOW_TO_MAKE_ONE) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is no UTF-8 text, so it is no policy file.", state=UNCHANGED, next=HOW_TO_MAKE_ONE
        ) from None
    except OSError as exc:
        raise UsageError(
            f"The policy file {path} cannot be read: {exc.strerror or exc}.",
            state=UNCHANGED,
            next=f"Look at its permissions: ls -ld {path}",
        ) from None


def _refused(path: Path, found: Sequence[Problem]) -> UsageError:
    first = found[0]
    where = f"{first.path}: " if first.path else ""
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems, the first"
    error = UsageError(
        f"{path} is no valid policy: {count} in line {first.line}: {where}{first.message}",
        state=UNCHANGED,
        next=f"mlflowctl policy check {path} lists all of them; docs/policy.md describes every field.",
    )
    error.result = {"file": str(path), "problems": [asdict(problem) for problem in found]}
    return error


def _policy(model: str, section: Mapping[str, Any], folder: str) -> Policy:
    """One section of a file without problems, defaults filled in."""
    holdout = section.get("holdout")
    policy = Policy(
        model=model,
        digest="",
        holdout=Holdout(**holdout) if holdout else None,
        metrics=tuple(_metric(one) for one in section.get("metrics", ())),
        business=tuple(_business(one) for one in section.get("business", ())),
        checks=_checks(section.get("checks", {})),
        alpha=float(section.get("alpha", Policy.alpha)),
        seed=int(section.get("seed", Policy.seed)),
        auto_stage=section.get("auto_stage", Policy.auto_stage),
        live=_live(section.get("live", {})),
        approvals=int(section.get("approvals", Policy.approvals)),
        keep_archived=int(section.get("keep_archived", Policy.keep_archived)),
        folder=folder,
    )
    return replace(policy, digest=_digest(policy))


def _common(item: Mapping[str, Any]) -> dict[str, Any]:
    """What metrics on the holdout and business metrics share."""
    threshold = item.get("threshold")
    return {
        "name": item["name"],
        "role": item["role"],
        "rule": rule_of(item) or Metric.rule,
        "margin": float(item.get("margin", Metric.margin)),
        "threshold": None if threshold is None else float(threshold),
    }


def _metric(item: Mapping[str, Any]) -> Metric:
    direction = known_direction(item) or item["direction"]
    return Metric(**_common(item), direction=direction, function=function_of(item))


def _business(item: Mapping[str, Any]) -> Business:
    own = ("source", "data", "assignments", "id_column", "version_column", "value_column")
    return Business(
        **_common(item),
        direction=item["direction"],
        metric=item.get("metric", item["name"]) if item["source"] == "run" else "",
        **{key: item[key] for key in own if key in item},
    )


def _checks(item: Mapping[str, Any]) -> Checks:
    def ratio(key: str) -> float | None:
        return float(item[key]) if key in item else None

    return Checks(
        environment=item.get("environment", Checks.environment),
        timeout_seconds=float(item.get("timeout_seconds", Checks.timeout_seconds)),
        memory_mb=int(item.get("memory_mb", Checks.memory_mb)),
        latency_ratio=ratio("latency_ratio"),
        memory_ratio=ratio("memory_ratio"),
        custom=tuple(item.get("custom", ())),
    )


def _live(item: Mapping[str, Any]) -> Live:
    steps = [RampStep(float(one["share"]), float(one["minutes"])) for one in item.get("steps", ())]
    metrics = [_live_metric(one) for one in item.get("metrics", ())]
    if not any(one.source == "errors" for one in metrics):
        metrics.insert(0, ERROR_RATE)
    return Live(
        steps=tuple(steps) or (RampStep(float(item.get("share", Live().share))),),
        minimum=int(item.get("minimum", Live.minimum)),
        sticky=item.get("sticky", Live.sticky),
        promote=item.get("promote", Live.promote),
        bake_minutes=float(item.get("bake_minutes", Live.bake_minutes)),
        metrics=tuple(metrics),
    )


def _live_metric(item: Mapping[str, Any]) -> LiveMetric:
    bounds = item.get("bounds")
    return LiveMetric(
        **_common(item),
        direction=item.get("direction", "lower"),
        source=item["source"],
        quantile=float(item.get("quantile", LiveMetric.quantile)),
        bounds=(float(bounds[0]), float(bounds[1])) if bounds else None,
        window_minutes=float(item.get("window_minutes", LiveMetric.window_minutes)),
        **{key: item[key] for key in ("data", "missing", "id_column", "value_column") if key in item},
    )


def _digest(policy: Policy) -> str:
    """SHA-256 (hex) of what a policy means.

    Made of the filled-in objects, so comments, layout, the order of keys and of lists, ``1`` for ``1.0`` and
    defaults written out change nothing, nor does the folder in which the file lies.
    """
    meaning = asdict(policy)
    for key in ("digest", "folder", "live"):
        del meaning[key]
    for key in ("metrics", "business"):
        meaning[key] = sorted(meaning[key], key=lambda one: str(one["name"]))
    meaning["checks"]["custom"] = sorted(meaning["checks"]["custom"])
    meaning |= _live_meaning(policy.live)
    canonical = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _live_meaning(live: Live) -> dict[str, Any]:
    """Live traffic's part of the digest: the share, and of the rest what is not the default.

    A policy that asks for a share alone keeps the digest that it had before there was a ramp, and with it its
    evidence and approvals.
    """
    meant, usual = asdict(live), asdict(Live(steps=(RampStep(live.share),)))
    for one in (meant, usual):
        one["metrics"] = sorted(one["metrics"], key=lambda metric: str(metric["name"]))
    more = {key: value for key, value in meant.items() if value != usual[key]}
    return {"live_share": live.share, **({"live": more} if more else {})}
