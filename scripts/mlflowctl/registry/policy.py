"""What a model must show before it may serve: the policy of one model, as plain frozen objects.

Files are read and checked by :mod:`mlflowctl.registry.policy_file`; everything else works on these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mlflowctl.registry.live_policy import Live
from mlflowctl.registry.policy_metric import Direction, Metric, Role, Rule

__all__ = ["Business", "Checks", "Direction", "Holdout", "Metric", "Policy", "Role", "Rule"]


@dataclass(frozen=True)
class Business(Metric):
    """A business metric: a number on the run, or outcomes that grow while both versions serve.

    Attributes:
        source: ``run`` (a metric of the version's run, held against its threshold only) or ``outcomes``.
        metric: name of the run's metric (``source: run``).
        data: the outcomes: CSV, Parquet or JSON lines, a path or s3://bucket/key.
        assignments: a second file that tells which version answered which id, if ``data`` does not.
        id_column: joins the two files, and finds repeated rows.
        version_column: names the version that answered.
        value_column: the outcome, one number a row.
    """

    source: Literal["run", "outcomes"] = "run"
    metric: str = ""
    data: str = ""
    assignments: str = ""
    id_column: str = "request_id"
    version_column: str = "version"
    value_column: str = "value"


@dataclass(frozen=True)
class Holdout:
    """Labelled rows that neither model was fitted on.

    Attributes:
        data: CSV, Parquet or JSON lines: a path (relative to the policy file) or s3://bucket/key.
        target: the column that holds the truth; all others are the model's input.
    """

    data: str
    target: str


@dataclass(frozen=True)
class Checks:
    """The final round: everything that is not a metric.

    Attributes:
        environment: ``local`` (this interpreter) or ``uv`` (the model's own requirements, made with uv).
        timeout_seconds: for loading and predicting, per model.
        memory_mb: address space of the process that loads the model.
        latency_ratio: p95 of a one-row prediction, at most this many times the champion's; None: not held.
        memory_ratio: peak memory, at most this many times the champion's; None: not held.
        custom: user checks, ``package.module:function``.
    """

    environment: Literal["local", "uv"] = "local"
    timeout_seconds: float = 120.0
    memory_mb: int = 8192
    latency_ratio: float | None = None
    memory_ratio: float | None = None
    custom: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """The policy of one model.

    Attributes:
        model: name of the registered model.
        digest: SHA-256 (hex) of this policy in canonical form; evidence is good for this digest alone.
        alpha: the chance, at most, that one gate passes what it must not.
        seed: of everything random in the gates.
        auto_stage: register also stages, when the thresholds of the run's metrics hold.
        live: live traffic: the ramp, and what is judged while it runs.
        approvals: how many people other than the proposer must approve.
        keep_archived: how many of the last champions are protected from deletion.
        folder: where relative paths start.
    """

    model: str
    digest: str
    holdout: Holdout | None
    metrics: tuple[Metric, ...]
    business: tuple[Business, ...] = ()
    checks: Checks = field(default_factory=Checks)
    alpha: float = 0.05
    seed: int = 0
    auto_stage: bool = False
    live: Live = field(default_factory=Live)
    approvals: int = 0
    keep_archived: int = 5
    folder: str = "."

    @property
    def primary(self) -> tuple[Metric, ...]:
        return tuple(one for one in (*self.metrics, *self.business) if one.role == "primary")

    @property
    def live_share(self) -> float:
        """The challenger's share that live traffic starts with, above 0 and at most 0.5."""
        return self.live.share
