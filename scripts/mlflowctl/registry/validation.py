"""Validating a version: both models tried in the sandbox, every gate and check judged, evidence left.

Needs no right to promote. Where the ledger may not be written (a trainer in CI), the evidence stands in the
bucket and on the version, and the promotion takes it into the ledger.
"""

from __future__ import annotations

import contextlib
import platform
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from mlflowctl import __version__
from mlflowctl.errors import (
    AccessError,
    ConflictError,
    IllegalMoveError,
    MlflowctlError,
    NotFoundError,
    UnavailableError,
    UsageError,
)
from mlflowctl.plan import Action, Step
from mlflowctl.registry import ledger_state
from mlflowctl.registry.artifacts import fetch, put_run_artifact
from mlflowctl.registry.checks import Subject, final_checks
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.evidence.model import Evidence, ModelFacts, sha256, to_json
from mlflowctl.registry.evidence.report import render
from mlflowctl.registry.evidence.store import Stored, write
from mlflowctl.registry.gates.data import Table, read_table
from mlflowctl.registry.gates.judge import judge_holdout, judge_outcomes, judge_run, outcome_arms, spend
from mlflowctl.registry.ledger import now, quoted
from mlflowctl.registry.policy import Business, Policy
from mlflowctl.registry.port import DIGEST_TAG, EVIDENCE_TAG, VALIDATION_STATUS, Version
from mlflowctl.registry.promotion import head_of, question
from mlflowctl.registry.registering import run_metrics
from mlflowctl.registry.registration import adopt, append, registered_manifest
from mlflowctl.registry.sandbox import run_trial
from mlflowctl.registry.verdict import CheckResult, GateResult, Verdict, worst

Tell = Callable[[str], None]
STATUS = {Verdict.PASS: "passed", Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "inconclusive"}


@dataclass(frozen=True)
class Validated:
    """What a validation left.

    Attributes:
        evidence: everything that was measured.
        stored: where it is in the registry bucket.
        entry: number of the ledger's entry; None if this login may not write the ledger.
        report: the HTML report.
        notes: what could not be done beside it.
    """

    evidence: Evidence
    stored: Stored
    entry: int | None
    report: str
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        found = self.evidence
        return {
            "model": found.model,
            "version": found.version,
            "champion": found.champion,
            "verdict": str(found.verdict),
            "look": found.look,
            "alpha": found.alpha,
            "gates": [one.as_dict() for one in found.gates],
            "checks": [one.as_dict() for one in found.checks],
            "evidence": self.stored.key,
            "evidence_sha256": self.stored.sha256,
            "entry": self.entry,
            "notes": list(self.notes),
        }


def subject_of(desk: Desk, model: str, number: int | None) -> Version:
    """The version that is validated: the named one, else the challenger.

    Raises:
        IllegalMoveError: none was named and there is no challenger, or it is champion or archived.
    """
    version = desk.registry.version(model, number) if number is not None else desk.registry.challenger(model)
    if version is None:
        raise IllegalMoveError(
            f"Model {model!r} has no challenger, and no version was named.",
            state="Nothing was changed.",
            next=f"mlflowctl model validate {quoted(model)} VERSION, or stage one first",
        )
    if version.stage in ("Production", "Archived"):
        raise IllegalMoveError(
            f"Version {version.version} of model {model!r} is in {version.stage}: nothing to decide.",
            state="Nothing was changed.",
            next=f"mlflowctl model status {quoted(model)}",
        )
    return version


def in_environment(policy: Policy, manager: str | None) -> Policy:
    """The policy with another environment for the trials; its digest stays, the evidence tells which it was.

    Raises:
        UsageError: there is no such manager.
    """
    if manager is None:
        return policy
    known: dict[str, Literal["local", "uv"]] = {"local": "local", "uv": "uv"}
    if manager not in known:
        raise UsageError(
            f"--env-manager is uv or local, not {manager!r}.",
            state="Nothing was judged.",
            next="mlflowctl model validate --help",
        )
    return replace(policy, checks=replace(policy.checks, environment=known[manager]))


def steps(version: Version, policy: Policy) -> list[Step]:
    """What a validation would do, for the dry run."""
    what = f"v{version.version} of {version.model}"
    return [
        Step(
            Action.CREATE,
            f"evidence about {what}",
            f"{len(policy.metrics) + len(policy.business)} metrics, all checks",
        ),
        Step(Action.CHANGE, what, f"{VALIDATION_STATUS}: {version.status} to the verdict"),
    ]


def write_report(path: Path, report: str) -> None:
    """Write the HTML report to a file of the user's.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.write_text(report)
    except OSError as exc:
        raise UsageError(
            f"The report cannot be written to {path}: {exc.strerror}.",
            state="The validation is recorded.",
            next="The report is also in the registry bucket, beside the evidence.",
        ) from None


def validate(desk: Desk, version: Version, policy: Policy, reason: str, tell: Tell) -> Validated:
    """Judge a version against the champion and leave evidence.

    Args:
        desk: where to look and to write.
        version: the challenger.
        policy: of this model.
        reason: why now, in words.
        tell: progress, a line each.

    Raises:
        NotFoundError, UsageError: the holdout or the outcomes cannot be read.
        UnavailableError, AccessError: registry or store.
    """
    champion = desk.registry.champion(version.model)
    version = _adopted(desk, version)
    tables = _Tables.read(desk, policy)
    with tempfile.TemporaryDirectory(prefix="mlflowctl-") as folder:
        Path(folder).chmod(0o755)  # the sandbox's account must reach the models
        tell(f"  trying v{version.version}" + (f" and champion v{champion.version}" if champion else ""))
        new = _subject(desk, version, policy, tables, Path(folder))
        old = _subject(desk, champion, policy, tables, Path(folder)) if champion else None
        look, alpha = _look(desk, version.model, new, champion, policy, tables)
        tell(f"  judging {len(policy.metrics) + len(policy.business)} metrics at α = {alpha:.4g}")
        with _team_code(policy.folder):
            gates = _gates(desk, policy, tables, version, champion, new, old, alpha)
            checks = final_checks(new, old, policy.checks)
        facts = {
            "challenger": _facts(desk, version, new),
            "champion": _facts(desk, champion, old) if champion and old else None,
        }
    evidence = _evidence(desk, version, champion, policy, tables, (look, alpha), gates, checks, facts, reason)
    return _leave(desk, version, evidence)


@contextlib.contextmanager
def _team_code(folder: str) -> Iterator[None]:
    """Metrics and checks named by dotted path are found beside the policy file, before anything installed."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@dataclass(frozen=True)
class _Tables:
    holdout: Table | None
    truth: Any
    rows: Any
    outcomes: dict[str, Table]

    @classmethod
    def read(cls, desk: Desk, policy: Policy) -> _Tables:
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


def _adopted(desk: Desk, version: Version) -> Version:
    try:
        return adopt(desk, version, "first touched by validate")
    except AccessError:  # a trainer may judge what only a promoter may record
        return version


def _subject(desk: Desk, version: Version, policy: Policy, tables: _Tables, folder: Path) -> Subject:
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


def _look(
    desk: Desk, model: str, new: Subject, champion: Version | None, policy: Policy, tables: _Tables
) -> tuple[int, float]:
    """Which look at this holdout it is, and what it may spend. Without a champion nothing is compared."""
    if tables.holdout is None:
        return 0, policy.alpha
    if champion is None:
        return 1, policy.alpha
    asked = question(new.manifest.digest, champion.version, policy.digest, tables.holdout.digest)
    look = ledger_state.next_look(head_of(desk, model).state, tables.holdout.digest, asked)
    return look, spend(policy.alpha, look)


def _gates(
    desk: Desk,
    policy: Policy,
    tables: _Tables,
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
    desk: Desk, metric: Business, tables: _Tables, version: Version, champion: Version | None, alpha: float
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


def _facts(desk: Desk, version: Version, subject: Subject) -> dict[str, Any]:
    model: dict[str, Any] = {}
    with contextlib.suppress(MlflowctlError):  # a check says so; facts are only shown
        model = subject.mlmodel
    flavors = model.get("flavors") or {}
    pyfunc = flavors.get("python_function") or {}
    run = desk.registry.rest.get("runs/get", run_id=version.run_id)["run"]["data"] if version.run_id else {}
    return ModelFacts(
        run_id=version.run_id,
        metrics={one["key"]: float(one["value"]) for one in run.get("metrics", [])},
        params={one["key"]: str(one["value"]) for one in run.get("params", [])},
        registered_at=datetime.fromtimestamp(version.created_ms / 1000, UTC).isoformat(timespec="seconds"),
        registered_by=version.user,
        artifact_digest=subject.manifest.digest,
        artifacts=dict(subject.manifest.sizes),
        flavor=", ".join(sorted(set(flavors) - {"python_function"})) or ", ".join(flavors),
        python_version=str(pyfunc.get("python_version", "")),
        signature=str(model.get("signature") or ""),
    ).as_dict()


def _evidence(
    desk: Desk,
    version: Version,
    champion: Version | None,
    policy: Policy,
    tables: _Tables,
    look: tuple[int, float],
    gates: tuple[GateResult, ...],
    checks: list[CheckResult],
    facts: dict[str, Any],
    reason: str,
) -> Evidence:
    holdout = tables.holdout
    return Evidence(
        id=uuid.uuid4().hex,
        model=version.model,
        version=version.version,
        champion=champion.version if champion else None,
        verdict=worst([*(one.verdict for one in gates), *(one.verdict for one in checks)]),
        at=now(),
        actor=desk.actor.as_dict(),
        reason=reason,
        policy={name: value for name, value in asdict(policy).items() if name != "folder"},
        holdout={"location": holdout.location, "digest": holdout.digest, "rows": len(holdout.frame)}
        if holdout
        else None,
        look=look[0],
        alpha=look[1],
        gates=gates,
        checks=tuple(checks),
        facts=facts,
        environment=_environment(),
    )


def _environment() -> dict[str, str]:
    from importlib.metadata import version

    return {
        "mlflowctl": __version__,
        "mlflow": version("mlflow"),
        "python": platform.python_version(),
        "machine": f"{socket.gethostname()}, {platform.platform()}",
    }


def ledger_body(evidence: Evidence, stored: Stored) -> dict[str, Any]:
    """A validation as the ledger records it."""
    challenger = evidence.facts["challenger"]
    holdout = evidence.holdout["digest"] if evidence.holdout and evidence.champion is not None else ""
    policy = evidence.policy["digest"]
    return {
        "version": evidence.version,
        "verdict": str(evidence.verdict),
        "champion": evidence.champion,
        "evidence": stored.key,
        "sha256": stored.sha256,
        "policy": policy,
        "digest": challenger["artifact_digest"],
        "holdout": holdout,
        "look": evidence.look,
        "question": question(challenger["artifact_digest"], evidence.champion, policy, holdout)
        if holdout
        else "",
    }


def _still_this_look(body: dict[str, Any], state: dict[str, Any]) -> None:
    """Two validations at once must not spend the same α."""
    if body["holdout"] and ledger_state.next_look(state, body["holdout"], body["question"]) != body["look"]:
        raise ConflictError(
            f"Another validation looked at this holdout at the same time: look {body['look']} is spent.",
            state="What serves did not change; this validation does not count.",
            next="Repeat the command.",
        )


def _leave(desk: Desk, version: Version, evidence: Evidence) -> Validated:
    """Evidence first, then the ledger, then the tags and the run."""
    content = to_json(evidence)
    report = render(evidence, sha256(content))
    stored = write(desk.objects.settings, evidence, report)
    notes: list[str] = []
    entry: int | None = None
    try:
        body = ledger_body(evidence, stored)
        entry = append(
            desk,
            version.model,
            ledger_state.VALIDATED,
            evidence.reason,
            body,
            partial(_still_this_look, body),
        ).number
    except AccessError:
        notes.append("this login may not write the ledger; the promotion will record the validation")
    desk.registry.tag(version.model, version.version, EVIDENCE_TAG, f"{stored.key} {stored.sha256}")
    desk.registry.tag(version.model, version.version, VALIDATION_STATUS, STATUS[evidence.verdict])
    if version.run_id:
        folder = f"mlflowctl/{evidence.id}"
        try:
            put_run_artifact(desk.artifacts, version.run_id, f"{folder}/evidence.json", content)
            put_run_artifact(desk.artifacts, version.run_id, f"{folder}/report.html", report.encode())
        except (AccessError, NotFoundError, UnavailableError) as exc:
            notes.append(f"the run {version.run_id} has no copy of the report: {exc.what}")
    return Validated(evidence, stored, entry, report, tuple(notes))
