"""What a validation leaves: evidence in the bucket, an entry in the ledger, tags, and a copy on the run."""

from __future__ import annotations

import contextlib
import platform
import socket
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mlflowctl import __version__
from mlflowctl.errors import (
    AccessError,
    ConflictError,
    MlflowctlError,
    NotFoundError,
    UnavailableError,
)
from mlflowctl.registry import ledger_state
from mlflowctl.registry.artifacts import put_run_artifact
from mlflowctl.registry.checks import Subject
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.evidence.model import Evidence, ModelFacts, sha256, to_json
from mlflowctl.registry.evidence.report import render
from mlflowctl.registry.evidence.store import Stored, write
from mlflowctl.registry.judging import Tables
from mlflowctl.registry.ledger import now
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.port import EVIDENCE_TAG, VALIDATION_STATUS, Version
from mlflowctl.registry.promotion import question
from mlflowctl.registry.registration import append
from mlflowctl.registry.verdict import CheckResult, GateResult, Verdict, worst

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


def facts_of(desk: Desk, version: Version, subject: Subject) -> dict[str, Any]:
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


def evidence_of(
    desk: Desk,
    version: Version,
    champion: Version | None,
    policy: Policy,
    tables: Tables,
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


def leave(desk: Desk, version: Version, evidence: Evidence) -> Validated:
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
