"""What happens to the three models: the whole lifecycle, through the same functions as the commands."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from mlflowctl.demo.training import MODEL, Trained, train
from mlflowctl.registry import promotion, registering, report, rollback, staging, validation
from mlflowctl.registry.audit import audit
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Chained
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.policy_file import for_model
from mlflowctl.registry.requirements import named
from mlflowctl.registry.verdict import Verdict
from mlflowctl.settings import Context

Say = Callable[[str], None]
REASON = "mlflowctl demo"
WAIT = 30.0
ROWS = 12


def run(context: Context, folder: Path, say: Say) -> dict[str, Any]:
    """Play it; may be run any number of times.

    Args:
        context: the registry.
        folder: where holdout, policy and reports are left.
        say: progress, a line each.

    Returns:
        The registry's table (newest version first), the ledger, the reports and the audit.

    Raises:
        MlflowctlError: the registry does not serve, or something did not go as it must.
    """
    models = train(context, folder)
    for one in models.values():
        say(f"  {one.kind:<20} holdout accuracy {one.accuracy:.4f}")
    desk, policy = Desk(context), for_model(folder / "promotion.yaml", MODEL)
    reports = []
    if MODEL not in desk.registry.models() or desk.registry.champion(MODEL) is None:
        say("The first champion: judged by thresholds and checks alone")
        reports.append(_candidate(desk, models["naive Bayes"], policy, folder, say))
    say("A challenger: it must beat the champion beyond chance")
    reports.append(_candidate(desk, models["logistic regression"], policy, folder, say))
    say("A worse challenger")
    reports.append(_candidate(desk, models["starved regression"], policy, folder, say))
    say("Suppose the new champion misbehaves: roll back")
    _roll_back(desk, say)
    checked = audit(desk, MODEL)
    say(f"Audit: {checked.entries} ledger entries, {len(checked.findings)} findings")
    return {
        "model": MODEL,
        "versions": _table(desk),
        "history": report.history(desk, MODEL, 12),
        "reports": [str(path) for path in reports],
        "findings": [one.as_dict() for one in checked.findings],
    }


def _candidate(desk: Desk, trained: Trained, policy: Policy, folder: Path, say: Say) -> Path:
    """Register, stage, validate; promote what passed, archive what did not. Returns the report's path."""
    plan = registering.plan(desk, MODEL, trained.source, None, folder / "promotion.yaml")
    version = registering.execute(desk, plan, REASON, wait=WAIT).version
    desk.registry.tag(MODEL, version.version, "algorithm", trained.kind)
    left = desk.registry.challenger(MODEL)  # of a demo that was interrupted
    move = staging.plan_stage(desk, MODEL, version.version, left.version if left else None)
    assert move is not None
    staging.execute(desk, move, REASON, wait=WAIT)
    staged = desk.registry.version(MODEL, version.version)
    done = validation.validate(desk, staged, policy, REASON, lambda _: None)
    path = folder / f"report-v{version.version}.html"
    validation.write_report(path, done.report)
    say(f"  v{version.version} ({trained.kind}): {done.evidence.verdict}   {path}")
    if done.evidence.verdict is Verdict.PASS:
        _promote(desk, policy, say)
    else:
        put_away = staging.plan_archive(desk, MODEL, version.version)
        assert put_away is not None
        staging.execute(desk, put_away, REASON, wait=WAIT)
        say(f"  v{version.version} is refused and archived; the champion serves on")
    return path


def _promote(desk: Desk, policy: Policy, say: Say) -> None:
    plan = promotion.make_plan(desk, MODEL, policy)
    promotion.execute(desk, plan, REASON, wait=WAIT)
    say(f"  promoted: {named(plan.move.champion)} → v{plan.move.version}")


def _roll_back(desk: Desk, say: Say) -> None:
    move = rollback.plan(desk, MODEL, None)
    if isinstance(move, rollback.NothingToDo):
        say(f"  nothing to do: {move.why}")
        return
    for line in rollback.check_target(desk, move, load=True, accept_unloadable=False):
        say(f"  {line}")
    done = rollback.execute(desk, move, REASON, wait=WAIT)
    assert isinstance(done, Chained)
    say(f"  v{move.champion} → v{move.version}")


def _table(desk: Desk) -> list[dict[str, Any]]:
    aliases: dict[int, list[str]] = {}
    for alias in ("champion", "challenger", "previous"):
        found = getattr(desk.registry, alias)(MODEL)
        if found:
            aliases.setdefault(found.version, []).append(alias)
    return [
        {
            "version": one.version,
            "stage": one.stage,
            "validation_status": one.status,
            "aliases": aliases.get(one.version, []),
            "algorithm": one.tags.get("algorithm", ""),
            "holdout_accuracy": round(registering.run_metrics(desk, one.run_id).get("accuracy", 0.0), 4),
        }
        for one in islice(desk.registry.versions(MODEL), ROWS)
    ]
