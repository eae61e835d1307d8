"""What happens to the three models: the whole lifecycle, through the same functions as the commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mlflowctl.demo.replay import Replay, held_out
from mlflowctl.demo.serving import gateway
from mlflowctl.demo.training import MODEL, Trained, train
from mlflowctl.live import controller
from mlflowctl.live.running import Options
from mlflowctl.registry import promotion, registering, report, rollback, staging, validation
from mlflowctl.registry.audit import audit
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Chained
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.policy_file import for_model
from mlflowctl.registry.requirements import named
from mlflowctl.serving.endpoints import wait_for
from mlflowctl.settings import Context

Say = Callable[[str], None]
REASON = "mlflowctl demo"
WAIT = 30.0
ROWS = 12
SERVED = 120.0  # seconds until a version must answer


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
        first = _stage(desk, models["naive Bayes"], folder)
        reports.append(_judge(desk, first, policy, folder, say))
        _promote(desk, policy, say)
    port = gateway(context, MODEL)
    say(f"It is served on http://127.0.0.1:{port}, and held-out rows are asked as fast as it answers")
    with Replay(port, held_out(folder), folder / "outcomes.jsonl") as replay:
        play = Play(desk, policy, folder, replay, port, say)
        say("A challenger: it must beat the champion beyond chance, on the holdout and on live traffic")
        reports.append(play.good(models["logistic regression"]))
        say("A worse challenger meets live traffic")
        reports.append(play.bad(models["starved regression"]))
        say("Suppose the new champion misbehaves: roll back")
        play.roll_back()
    _told(replay, say)
    checked = audit(desk, MODEL)
    say(f"Audit: {checked.entries} ledger entries, {len(checked.findings)} findings")
    return {
        "model": MODEL,
        "versions": _table(desk),
        "history": report.history(desk, MODEL, 12),
        "reports": [str(path) for path in reports],
        "findings": [one.as_dict() for one in checked.findings],
        "requests": {"total": replay.total, "failed": replay.failed, "by_version": dict(replay.answers)},
        "url": f"http://127.0.0.1:{port}",
    }


@dataclass
class Play:
    """The scenes that are played under live traffic."""

    desk: Desk
    policy: Policy
    folder: Path
    replay: Replay
    port: int
    say: Say

    def good(self, trained: Trained) -> Path:
        """Staged, ramped up, passed, validated, promoted; the gateway follows. Returns the report's path."""
        version = _stage(self.desk, trained, self.folder)
        self._live(version)
        path = _judge(self.desk, version, self.policy, self.folder, self.say)
        _promote(self.desk, self.policy, self.say)
        self._answers(version)
        self._control(f"v{version} as champion")
        return path

    def bad(self, trained: Trained) -> Path:
        """Staged, and taken out by itself; its validation says the same, so it is archived."""
        version = _stage(self.desk, trained, self.folder)
        self._live(version)
        path = _judge(self.desk, version, self.policy, self.folder, self.say)
        put_away = staging.plan_archive(self.desk, MODEL, version)
        assert put_away is not None
        staging.execute(self.desk, put_away, REASON, wait=WAIT)
        self.say(f"  v{version} is refused and archived; the champion serves on")
        return path

    def roll_back(self) -> None:
        """To the champion before, while clients ask."""
        move = rollback.plan(self.desk, MODEL, None)
        if isinstance(move, rollback.NothingToDo):
            self.say(f"  nothing to do: {move.why}")
            return
        for line in rollback.check_target(self.desk, move, load=True, accept_unloadable=False):
            self.say(f"  {line}")
        done = rollback.execute(self.desk, move, REASON, wait=WAIT)
        assert isinstance(done, Chained)
        self.say(f"  v{move.champion} → v{move.version}")
        self._answers(move.version)

    def _live(self, version: int) -> None:
        """The challenger's live test, when it answers."""
        url = f"http://127.0.0.1:{self.port}"
        wait_for(self.desk, MODEL, url, seconds=SERVED, progress=lambda _: None)
        self._control(f"v{version} live")

    def _control(self, what: str) -> None:
        """Let the controller of live tests do its work until it ends."""
        began = self.replay.total
        options = Options(interval=0.5, gateway=f"http://127.0.0.1:{self.port}")
        ended = controller.run(self.desk, MODEL, self.policy, options, lambda _: None)
        asked = self.replay.total - began
        self.say(f"  {what}: {ended.final} after {asked} requests: {ended.reason}")

    def _answers(self, version: int) -> None:
        seconds = self.replay.first(version, within=SERVED)
        self.say(f"  v{version} answers clients after {seconds:.1f} s")


def _told(replay: Replay, say: Say) -> None:
    shares = ", ".join(f"v{version} {count}" for version, count in sorted(replay.answers.items()))
    say(f"{replay.total} requests, {replay.failed} failed; answered by {shares}")


def _stage(desk: Desk, trained: Trained, folder: Path) -> int:
    """Register and stage; whatever an interrupted demo left in Staging goes."""
    plan = registering.plan(desk, MODEL, trained.source, None, folder / "promotion.yaml")
    version = registering.execute(desk, plan, REASON, wait=WAIT).version
    desk.registry.tag(MODEL, version.version, "algorithm", trained.kind)
    left = desk.registry.challenger(MODEL)
    move = staging.plan_stage(desk, MODEL, version.version, left.version if left else None)
    assert move is not None
    staging.execute(desk, move, REASON, wait=WAIT)
    return version.version


def _judge(desk: Desk, version: int, policy: Policy, folder: Path, say: Say) -> Path:
    """Gates and checks on the holdout. Returns the report's path."""
    staged = desk.registry.version(MODEL, version)
    done = validation.validate(desk, staged, policy, REASON, lambda _: None)
    path = folder / f"report-v{version}.html"
    validation.write_report(path, done.report)
    say(f"  v{version} ({staged.tags.get('algorithm', '')}): {done.evidence.verdict}   {path}")
    return path


def _promote(desk: Desk, policy: Policy, say: Say) -> None:
    plan = promotion.make_plan(desk, MODEL, policy)
    promotion.execute(desk, plan, REASON, wait=WAIT)
    say(f"  promoted: {named(plan.move.champion)} → v{plan.move.version}")


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
