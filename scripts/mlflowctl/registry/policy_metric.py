"""What every metric of a policy has, wherever it is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower"]
Role = Literal["primary", "guardrail", "threshold"]
Rule = Literal["superior", "non-inferior"]


@dataclass(frozen=True)
class Metric:
    """One metric on the holdout, or one business metric.

    Attributes:
        name: as reports show it.
        direction: which way is better.
        role: ``primary`` (must outperform the champion), ``guardrail`` (must not be worse by more than the
            margin), ``threshold`` (is only held against the absolute threshold).
        rule: ``superior`` or ``non-inferior``; follows from the role unless a primary metric asks for less.
        margin: in the metric's own unit, 0 or more. Non-inferior: by how much worse is still accepted.
            Superior: by how much better it must be.
        threshold: the worst value that is accepted at all; None for none.
        function: a scikit-learn metric (``roc_auc``, ``accuracy``, …) or ``package.module:function``.
    """

    name: str
    direction: Direction
    role: Role
    rule: Rule = "non-inferior"
    margin: float = 0.0
    threshold: float | None = None
    function: str = ""

    @property
    def sign(self) -> int:
        """+1 if higher is better, -1 if lower is."""
        return 1 if self.direction == "higher" else -1
