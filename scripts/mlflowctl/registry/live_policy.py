"""What the policy asks of live traffic: the ramp, and the metrics that are judged while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlflowctl.registry.policy_metric import Metric

Source = Literal["errors", "latency", "outcomes"]
Missing = Literal["zero", "skip"]


@dataclass(frozen=True)
class RampStep:
    """One step of the ramp.

    Attributes:
        share: the challenger's share of live traffic, above 0 and at most 0.5.
        minutes: how long the step lasts at least.
    """

    share: float
    minutes: float = 0.0


@dataclass(frozen=True)
class LiveMetric(Metric):
    """One metric of live traffic; ``role`` is primary or guardrail.

    Attributes:
        source: ``errors`` (rate of failed requests, 0 to 1), ``latency`` (a quantile, in milliseconds) or
            ``outcomes`` (mean of what followed a request, in its own unit).
        quantile: of latency, above 0 and below 1; 0 for other sources.
        data: outcomes: CSV, Parquet or JSON lines. A path, s3://bucket/key, or a folder or prefix of such
            files, which ends with a slash.
        bounds: between which every outcome lies; what lies outside is counted as the bound. None for none.
        window_minutes: a request counts this long after it came, with the outcome that is known then.
        missing: what a request without an outcome is when its window is over: 0, or left out.
        id_column: the column of the request's id (``X-Request-Id``).
        value_column: the column of the outcome, one number a row.
    """

    source: Source = "errors"
    quantile: float = 0.0
    data: str = ""
    bounds: tuple[float, float] | None = None
    window_minutes: float = 60.0
    missing: Missing = "zero"
    id_column: str = "request_id"
    value_column: str = "value"


# What is asked where nothing is said of errors: at most one more failed request in a hundred.
ERROR_RATE = LiveMetric("error rate", "lower", "guardrail", margin=0.01)


@dataclass(frozen=True)
class Live:
    """Live traffic of one model.

    Attributes:
        steps: the ramp; shares rise.
        minimum: requests (of outcomes: counted requests) of each variant before a metric may pass.
        sticky: a cookie keeps a client with its variant, and each client counts once.
        promote: whether the controller may promote when everything passes.
        bake_minutes: how long the new champion is watched after the switch.
        metrics: at least one of source ``errors``.
    """

    steps: tuple[RampStep, ...] = (RampStep(0.05),)
    minimum: int = 1000
    sticky: bool = False
    promote: bool = False
    bake_minutes: float = 30.0
    metrics: tuple[LiveMetric, ...] = (ERROR_RATE,)

    @property
    def share(self) -> float:
        """The share that live traffic starts with."""
        return self.steps[0].share

    @property
    def outcomes(self) -> tuple[LiveMetric, ...]:
        """The metrics that need outcomes."""
        return tuple(one for one in self.metrics if one.source == "outcomes")
