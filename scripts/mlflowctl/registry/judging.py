"""Trying both models on what the policy names, and judging every metric."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlflowctl.errors import (
    NotFoundError,
)
from mlflowctl.registry import ledger_state
from mlflowctl.registry.artifacts import fetch
from mlflowctl.registry.checks import Subject
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.gates.data import Table, read_table
from mlflowctl.registry.gates.judge import judge_holdout, judge_outcomes, judge_run, outcome_arms, spend
from mlflowctl.registry.policy import Business, Policy
from mlflowctl.registry.port import DIGEST_TAG, Version
from mlflowctl.registry.promotion import question
from mlflowctl.registry.registering import run_metrics
from mlflowctl.registry.registration import registered_manifest
from mlflowctl.registry.sandbox import run_trial
from mlflowctl.registry.verdict import GateResult, Verdict


@contextlib.contextmanager
def team_code(folder: str) -> Iterator[None]:
    """Metrics and checks named by dotted path are found beside the policy file, before anything installed."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@dataclass(frozen=True)
class Tables:
    holdout: Table | None
    truth: Any
    rows: Any
    outcomes: dict[str, Table]

    @classmethod
    def read(cls, desk: Desk, policy: Policy) -> Tables:
        """Everything that the policy names, read before anything slow begins."""
        s3 = desk.context.s3
        needed = {one.data for one in policy.business if one.source == "outcomes"}
        needed |= {one.assignments for one in policy.business if one.source == "outcomes" and one.assignments}
        outcomes = {location: read_table(location, policy.folder, s3) for location in sorted(needed)}
        if policy.holdout is None:
            return cls(None, None, None, outcomes)
        table = read_table(policy.holdout.data, policy.folder, s3)
        if policy.holdout.target not in table.frame.columns:
            raise NotFoundError(
                f"The holdout {table.location} has no column {policy.holdout.target!r}; it has "
                f"{', '.join(map(str, list(table.frame.columns)[:10]))}.",
                state="Nothing was judged or changed.",
                next="Mend holdout.target in the policy.",
            )
        truth = table.frame[policy.holdout.target]
        return cls(table, truth, table.frame.drop(columns=[policy.holdout.target]), outcomes)


def tried(desk: Desk, version: Version, policy: Policy, tables: Tables, folder: Path) -> Subject:
    place = folder / str(version.version)
    found = fetch(desk.artifacts, desk.registry.artifact_uri(version.model, version.version), place)
    before = registered_manifest(desk, version)
    return Subject(
        version=version.version,
        folder=place,
        manifest=found,
        registered_digest=before.digest if before else version.tags.get(DIGEST_TAG),
        trial=run_trial(place, tables.rows, policy.checks),
        registered_manifest=before,
    )


def look_at(
    desk: Desk, model: str, new: Subject, champion: Version | None, policy: Policy, tables: Tables
) -> tuple[int, float]:
    """Which look at this holdout it is, and what it may spend. Without a champion nothing is compared."""
    if tables.holdout is None:
        return 0, policy.alpha
    if champion is None:
        return 1, policy.alpha
    asked = question(new.manifest.digest, champion.version, policy.digest, tables.holdout.digest)
    look = ledger_state.next_look(desk.head(model).state, tables.holdout.digest, asked)
    return look, spend(policy.alpha, look)


def judged(
    desk: Desk,
    policy: Policy,
    tables: Tables,
    version: Version,
    champion: Version | None,
    new: Subject,
    old: Subject | None,
    alpha: float,
) -> tuple[GateResult, ...]:
    found: list[GateResult] = []
    for metric in policy.metrics:
        if new.trial.predictions is None:
            found.append(
                _unpredicted(metric.name, metric.role, metric.rule, metric.direction, new.trial.error)
            )
        elif old is not None and old.trial.predictions is None:
            alone = judge_holdout(metric, tables.truth, None, new.trial.predictions, alpha, policy.seed)
            found.append(_no_comparison(alone, old.trial.error))
        else:
            found.append(
                judge_holdout(
                    metric,
                    tables.truth,
                    old.trial.predictions if old else None,
                    new.trial.predictions,
                    alpha,
                    policy.seed,
                )
            )
    found += [_business(desk, one, tables, version, champion, policy.alpha) for one in policy.business]
    return tuple(found)


def _unpredicted(name: str, role: str, rule: str, direction: str, error: str) -> GateResult:
    reason = f"The challenger made no predictions: {error}"
    return GateResult(name, "holdout", role, rule, direction, Verdict.FAIL, reason)


def _no_comparison(alone: GateResult, error: str) -> GateResult:
    """The champion cannot be tried: the challenger's threshold counts, and a comparison is impossible."""
    if alone.role == "threshold" or alone.verdict is Verdict.FAIL:
        return alone
    return replace(
        alone,
        verdict=Verdict.INCONCLUSIVE,
        reason=f"The champion made no predictions, so nothing can be compared: {error}",
        more="a champion that loads; or --override-gate with a reason",
    )


def _business(
    desk: Desk, metric: Business, tables: Tables, version: Version, champion: Version | None, alpha: float
) -> GateResult:
    if metric.source == "run":
        name = metric.metric or metric.name
        other = run_metrics(desk, champion.run_id).get(name) if champion else None
        return judge_run(metric, run_metrics(desk, version.run_id).get(name), other)
    assignments = tables.outcomes[metric.assignments] if metric.assignments else None
    old, new = outcome_arms(
        metric,
        tables.outcomes[metric.data],
        assignments,
        champion.version if champion else None,
        version.version,
    )
    return judge_outcomes(metric, None if old is None else list(old), list(new), alpha)
