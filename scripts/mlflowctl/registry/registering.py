"""``model register`` as a plan: a new version or an adopted one, and staging it where the policy says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflowctl.plan import Action, Step
from mlflowctl.registry import registration, staging
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import quoted
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.port import DIGEST_TAG, REGISTERED_TAG, Version

UNRECORDED = "This login may not write the ledger; whoever stages the version takes it in."


@dataclass(frozen=True)
class Registering:
    """What register is about to do.

    Attributes:
        model: name of the registered model.
        source: what is registered; "" when a version is adopted.
        version: that is adopted, as it stands; None for a new one.
        policy: the model's policy, if there is one and it says ``auto_stage``.
    """

    model: str
    source: str
    version: Version | None
    policy: Policy | None

    def steps(self) -> list[Step]:
        if self.version is not None:
            adopted = REGISTERED_TAG in self.version.tags
            what = f"version {self.version.version} of {self.model}"
            return [Step(Action.UNCHANGED if adopted else Action.CREATE, f"ledger entry about {what}")]
        found = [Step(Action.CREATE, f"version of {self.model}", f"stage None, from {self.source}")]
        if self.policy:
            found.append(
                Step(Action.CHANGE, "the new version", "to Staging, if its run's metrics meet the thresholds")
            )
        return found


@dataclass(frozen=True)
class Registered:
    """What register did."""

    version: Version
    changed: bool
    staged: bool
    note: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.version.model,
            "version": self.version.version,
            "changed": self.changed,
            "stage": "Staging" if self.staged else self.version.stage,
            "validation_status": self.version.status,
            "artifact_digest": self.version.tags.get(DIGEST_TAG, ""),
            "note": self.note,
        }

    def text(self) -> str:
        model, number = self.version.model, self.version.version
        if not self.changed:
            return f"Nothing to do: v{number} of {model} is in the ledger."
        if self.staged:
            todo = f"mlflowctl model validate {quoted(model)}"
            return f"v{number} of {model} is registered, and the challenger. Next: {todo}"
        note = f" {self.note}" if self.note else ""
        if self.version.stage != "None":
            return f"v{number} of {model} is in the ledger.{note}"
        return (
            f"v{number} of {model} is registered.{note} Next: mlflowctl model stage {quoted(model)} {number}"
        )


def plan(desk: Desk, model: str, source: str | None, adopt: int | None, policy: Path) -> Registering:
    """Look at what is named; reads only."""
    version = desk.registry.version(model, adopt) if adopt is not None else None
    if source is not None:
        registration.source_of(desk, source)  # raises if it does not exist
    return Registering(model, source or "", version, _staging_policy(model, policy) if source else None)


def _staging_policy(model: str, path: Path) -> Policy | None:
    """The policy, if this model has one that stages by itself; a model without a policy is no error here."""
    if not path.exists():
        return None
    from mlflowctl.registry.policy_file import load

    found = load(path).get(model)
    return found if found and found.auto_stage else None


def execute(desk: Desk, planned: Registering, reason: str, *, wait: float) -> Registered:
    """Register or adopt, then stage if the policy says so and nobody else is challenger."""
    if planned.version is not None:
        before = REGISTERED_TAG in planned.version.tags
        return Registered(registration.adopt(desk, planned.version, reason), not before, False, "")
    version = registration.register(desk, planned.model, planned.source, reason)
    if REGISTERED_TAG not in version.tags:
        return Registered(version, True, False, UNRECORDED)
    if planned.policy is None:
        return Registered(version, True, False, "")
    missed = _missed(desk, version, planned.policy)
    if missed:
        return Registered(version, True, False, f"Not staged: {missed}.")
    present = desk.registry.challenger(planned.model)
    if present is not None:
        return Registered(version, True, False, f"Not staged: v{present.version} is the challenger.")
    move = staging.plan_stage(desk, planned.model, version.version, None)
    assert move is not None
    staging.execute(desk, move, f"auto_stage: {reason}".rstrip(": "), wait=wait)
    return Registered(version, True, True, "")


def _missed(desk: Desk, version: Version, policy: Policy) -> str:
    """The first threshold that the run's metrics do not meet; "" if they meet all."""
    metrics = run_metrics(desk, version.run_id)
    for metric in (*policy.metrics, *(one for one in policy.business if one.source == "run")):
        if metric.threshold is None:
            continue
        name = getattr(metric, "metric", "") or metric.name
        value = metrics.get(name)
        if value is None:
            return f"its run has no metric {name!r}"
        if not metric.sign * value >= metric.sign * metric.threshold:  # NaN is not enough either
            return f"{name} is {value:g}, the threshold {metric.threshold:g}"
    return ""


def run_metrics(desk: Desk, run_id: str) -> dict[str, float]:
    """The last value of each metric of a run; none without a run."""
    if not run_id:
        return {}
    run = desk.registry.rest.get("runs/get", run_id=run_id)["run"]
    return {one["key"]: float(one["value"]) for one in run["data"].get("metrics", [])}
