"""Numbers as a person reads them: as many digits as the uncertainty deserves, and a true minus sign."""

from __future__ import annotations

import math

from mlflowctl.registry.verdict import GateResult

MINUS = "−"
MOST_DECIMALS = 9


def decimals(gate: GateResult) -> int | None:
    """How many decimals the values of a gate deserve: two significant digits of the interval's half width.

    Returns:
        None if there is no interval to judge by.
    """
    if gate.interval is None:
        return None
    half = (gate.interval.high - gate.interval.low) / 2
    if not (math.isfinite(half) and half > 0):
        return None
    return max(1 - math.floor(math.log10(half)), 0)


def number(value: float | None, places: int | None = None) -> str:
    """A value with so many decimals; without a number of decimals, with four significant digits."""
    if value is None:
        return "none"
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("no limit" if value > 0 else f"{MINUS}no limit")
    size = abs(value)
    if size >= 1e12 or (places or 0) > MOST_DECIMALS or (places is None and 0 < size < 1e-5):
        return f"{value:.3g}".replace("-", MINUS)
    if places is None and size < 1000:
        return f"{value:.4g}".replace("-", MINUS)
    text = f"{value:,.{places or 0}f}"
    # Rounded to nothing, a sign would only puzzle.
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", MINUS)


def signed(value: float, places: int | None = None) -> str:
    """A difference: with a plus or a minus, except for nothing."""
    text = number(value, places)
    return f"+{text}" if value > 0 and text.strip("0.,") else text


def percent(share: float) -> str:
    """0.975 as "97.5 %"."""
    return f"{share * 100:.4g} %"


def confidence(alpha: float) -> str:
    """The confidence of a bound whose error is alpha: 0.05 as "95 % confidence"."""
    return f"{percent(1 - alpha)} confidence"


def size(count: float) -> str:
    """Bytes in the unit that fits."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("every size has a unit")
