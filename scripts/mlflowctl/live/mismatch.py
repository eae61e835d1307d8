"""Sample-ratio mismatch: do the variants get the shares that were planned? If not, nothing can be compared.

Lindon & Malek (2022), "Anytime-valid inference for multinomial count data": the planned share against a Beta
mixture of others around it, a likelihood ratio that is 1 on average under the plan however often it is looked
at. Steps with different shares multiply. Why it matters: Fabijan et al. (2019), "Diagnosing sample ratio
mismatch in online controlled experiments".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import betaln  # type: ignore[import-untyped,unused-ignore]

from mlflowctl.live.bets import Array

SPREAD = 0.1  # the mixture's shares differ from the plan by about a tenth of it


class HasSeen(Protocol):
    """Anything that knows how many requests it stands for."""

    @property
    def seen(self) -> int: ...


class Assigned(Protocol):
    """A step of the ramp: the planned share, and who answered."""

    @property
    def share(self) -> float: ...
    @property
    def champion(self) -> HasSeen: ...
    @property
    def challenger(self) -> HasSeen: ...


@dataclass(frozen=True)
class Mismatch:
    """How much speaks against the planned shares.

    Attributes:
        p_value: always-valid; the evidence at this look alone.
        found: the p-value is at most the alpha that was asked for. Once found it stays found: keep it.
        planned: requests of the challenger that the plan expects.
        challenger: requests of the challenger.
        seen: requests of both.
    """

    p_value: float
    found: bool
    planned: float
    challenger: int
    seen: int

    @property
    def reason(self) -> str:
        got, asked = (100 * part / max(self.seen, 1) for part in (self.challenger, self.planned))
        return (
            f"The challenger answered {got:.4g} % of {self.seen:,} requests instead of the planned "
            f"{asked:.4g} % (p = {self.p_value:.2g}), so the two did not get comparable traffic and nothing "
            "can be concluded."
        )


def mismatch(steps: Sequence[Assigned], alpha: float = 0.001) -> Mismatch:
    """Test the planned shares.

    Args:
        steps: every request that was assigned, by step, whether or not its outcome is known.
        alpha: chance of ever refusing sound evidence.

    Raises:
        ValueError: alpha is outside 0 to 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}, not within 0 to 1")
    new = np.array([step.challenger.seen for step in steps], dtype=np.float64)
    old = np.array([step.champion.seen for step in steps], dtype=np.float64)
    shares = np.array([step.share for step in steps], dtype=np.float64)
    evidence = float(log_evidence(new, old, shares))
    p_value = math.exp(min(0.0, -evidence))
    total = float((new + old) @ shares)
    return Mismatch(p_value, p_value <= alpha, total, int(new.sum()), int((new + old).sum()))


def log_evidence(challenger: Array, champion: Array, shares: Array) -> Array:
    """log of the likelihood ratio of the mixture to the plan, at many looks.

    Args:
        challenger: requests, shape (..., steps).
        champion: requests, shape (..., steps).
        shares: planned, shape (steps,).

    Returns:
        Shape (...); the plan is rejected where it reaches log(1/alpha).
    """
    strength = (1 - shares) / (shares * SPREAD**2)
    a, b = strength * shares, strength * (1 - shares)
    mixture = betaln(a + challenger, b + champion) - betaln(a, b)
    found: Array = (mixture - challenger * np.log(shares) - champion * np.log1p(-shares)).sum(axis=-1)
    return found
