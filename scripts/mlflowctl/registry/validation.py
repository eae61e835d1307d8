"""Validating a version: both models tried in the sandbox, every gate and check judged, evidence left.

Needs no right to promote. Where the ledger may not be written (a trainer in CI), the evidence stands in the
bucket and on the version, and the promotion takes it into the ledger.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from mlflowctl.errors import (
    AccessError,
    IllegalMoveError,
    UsageError,
)
from mlflowctl.plan import Action, Step
from mlflowctl.registry.checks import final_checks
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.judging import Tables, judged, look_at, team_code, tried
from mlflowctl.registry.ledger import quoted
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.port import VALIDATION_STATUS, Version
from mlflowctl.registry.recording import Validated, evidence_of, facts_of, leave
from mlflowctl.registry.registration import adopt

Tell = Callable[[str], None]


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


def steps(version: Version) -> list[Step]:
    """What a validation would do, for the dry run."""
    what = f"v{version.version} of {version.model}"
    return [
        Step(
            Action.CREATE,
            f"evidence about {what}",
            "every metric of the policy, all checks",
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
    tables = Tables.read(desk, policy)
    with tempfile.TemporaryDirectory(prefix="mlflowctl-") as folder:
        Path(folder).chmod(0o755)  # the sandbox's account must reach the models
        tell(f"  trying v{version.version}" + (f" and champion v{champion.version}" if champion else ""))
        new = tried(desk, version, policy, tables, Path(folder))
        old = tried(desk, champion, policy, tables, Path(folder)) if champion else None
        look, alpha = look_at(desk, version.model, new, champion, policy, tables)
        tell(f"  judging {len(policy.metrics) + len(policy.business)} metrics at α = {alpha:.4g}")
        with team_code(policy.folder):
            gates = judged(desk, policy, tables, version, champion, new, old, alpha)
            checks = final_checks(new, old, policy.checks)
        facts = {
            "challenger": facts_of(desk, version, new),
            "champion": facts_of(desk, champion, old) if champion and old else None,
        }
    evidence = evidence_of(
        desk, version, champion, policy, tables, (look, alpha), gates, checks, facts, reason
    )
    return leave(desk, version, evidence)


def _adopted(desk: Desk, version: Version) -> Version:
    try:
        return adopt(desk, version, "first touched by validate")
    except AccessError:  # a trainer may judge what only a promoter may record
        return version
