"""Evidence: what was measured, by which policy, by whom, and what followed from it. Plain frozen data.

The bytes are canonical: the same evidence always gives the same bytes, so that a SHA-256 in the ledger
proves years later that nothing was touched.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mlflowctl.errors import ConflictError, UsageError
from mlflowctl.registry.evidence.plain import visible, with_non_finite, without_non_finite
from mlflowctl.registry.verdict import CheckResult, GateResult, Interval, Verdict

SCHEMA = "mlflowctl.evidence/1"
FAMILY = "mlflowctl.evidence/"


@dataclass(frozen=True)
class ModelFacts:
    """What is known of one model version, apart from how it was judged.

    Attributes:
        run_id: of the source run; "" if there is none.
        metrics: of the run.
        params: of the run.
        registered_at: UTC, ISO 8601.
        registered_by: as MLflow knows.
        artifact_digest: SHA-256 of the manifest of all artifacts, fixed at registration; "" before that.
        artifacts: size in bytes of every artifact, by path.
        flavor: what loads it ("sklearn").
        python_version: that it was made with.
        signature: of its input and output, as text; "" if it has none.
    """

    run_id: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    registered_at: str = ""
    registered_by: str = ""
    artifact_digest: str = ""
    artifacts: dict[str, int] = field(default_factory=dict)
    flavor: str = ""
    python_version: str = ""
    signature: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """One validation, or one decision.

    Attributes:
        id: UUID, hex.
        model: name of the registered model.
        version: the challenger.
        champion: it was compared with; None if the model has none.
        verdict: of everything together.
        at: when it was finished, UTC, ISO 8601.
        actor: who: ``name``, ``kind`` and ``host``.
        reason: why somebody did this, in their words.
        policy: the policy that was applied, its digest included.
        holdout: ``location``, ``digest`` and ``rows`` of the data; None if no gate needed any.
        look: the how-manieth time this holdout was looked at for this model, from 1.
        alpha: what this look spent of the policy's alpha.
        gates: the metrics, judged.
        checks: the final round.
        facts: ``challenger`` and ``champion`` (None without one), each as ``ModelFacts.as_dict`` gives it.
        environment: versions of ``mlflowctl``, ``mlflow`` and ``python``, and the ``machine``.
        schema: name and version of this shape.
    """

    id: str
    model: str
    version: int
    champion: int | None
    verdict: Verdict
    at: str
    actor: dict[str, str]
    reason: str
    policy: dict[str, Any]
    holdout: dict[str, Any] | None
    look: int
    alpha: float
    gates: tuple[GateResult, ...]
    checks: tuple[CheckResult, ...]
    facts: dict[str, Any]
    environment: dict[str, str]
    schema: str = SCHEMA


def to_json(evidence: Evidence) -> bytes:
    """The canonical bytes: keys sorted, two spaces of indent, ASCII, one line feed at the end.

    JSON has no NaN and no infinity: such a number is null, and ``non_finite`` tells what stood there.

    Raises:
        TypeError: something that JSON does not know.
        ValueError: evidence that its own schema does not allow; it would never be read again.
    """
    body, notes = without_non_finite(asdict(evidence))
    body["non_finite"] = notes
    if problem := _problem(body):
        raise ValueError(f"this is no evidence: {problem}")
    return (json.dumps(body, sort_keys=True, indent=2, allow_nan=False) + "\n").encode()


def from_json(content: bytes) -> Evidence:
    """Read evidence.

    Raises:
        UsageError: a newer mlflowctl wrote it; the message says which one is needed.
        ConflictError: it is not what any mlflowctl wrote.
    """
    try:
        body = json.loads(content)
        schema = body["schema"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _damaged("it is not JSON with a schema") from None
    if schema != SCHEMA:
        raise _foreign_schema(schema, body)
    if problem := _problem(body):
        raise _damaged(problem)
    try:
        return _evidence(with_non_finite(body, body.pop("non_finite")))
    except (LookupError, ValueError, TypeError):
        raise _damaged("non_finite names a place that is not there") from None


def sha256(content: bytes) -> str:
    """SHA-256 in hex, as ``sha256sum`` prints it."""
    return hashlib.sha256(content).hexdigest()


def _evidence(body: dict[str, Any]) -> Evidence:
    def gate(raw: dict[str, Any]) -> GateResult:
        interval = Interval(**raw["interval"]) if raw["interval"] else None
        return GateResult(**raw | {"interval": interval, "verdict": Verdict(raw["verdict"])})

    def check(raw: dict[str, Any]) -> CheckResult:
        return CheckResult(**raw | {"verdict": Verdict(raw["verdict"])})

    judged = {
        "verdict": Verdict(body["verdict"]),
        "gates": tuple(gate(one) for one in body["gates"]),
        "checks": tuple(check(one) for one in body["checks"]),
    }
    return Evidence(**body | judged)


@cache
def schema() -> dict[str, Any]:
    """The JSON schema of evidence.json."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("evidence.schema.json").read_text("utf-8"))
    return found


def _problem(body: object) -> str:
    """The first thing that the schema does not allow; "" if there is none."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    found = best_match(Draft202012Validator(schema()).iter_errors(body))
    return visible(f"{found.json_path}: {found.message}", 300) if found else ""


def _damaged(problem: str) -> ConflictError:
    return ConflictError(
        f"The evidence cannot be read: {problem}.",
        state="It is not what mlflowctl wrote, so nothing may rest on it. Nothing was changed.",
        next="mlflowctl model audit, then mlflowctl model validate to make new evidence",
    )


def _foreign_schema(schema: object, body: dict[str, Any]) -> UsageError | ConflictError:
    if not isinstance(schema, str) or not schema.startswith(FAMILY):
        return _damaged(f"its schema is {visible(str(schema), 60)!r}")
    environment = body.get("environment")
    writer = environment.get("mlflowctl") if isinstance(environment, dict) else None
    needed = f"mlflowctl {visible(str(writer), 40)}" if writer else "a newer mlflowctl"
    return UsageError(
        f"The evidence has the schema {visible(schema, 60)}; this mlflowctl reads {SCHEMA}. "
        f"It was written by {needed}.",
        state="Nothing was changed.",
        next=f"Install {needed} or newer, then repeat the command.",
    )
