"""The sentences of a live test: in the ledger, on the terminal and on the page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlflowctl.registry.verdict import Verdict

if TYPE_CHECKING:
    from mlflowctl.live.judge import LiveVerdict
    from mlflowctl.live.state import LiveTest
    from mlflowctl.registry.live_policy import RampStep
    from mlflowctl.serving.traffic import Traffic


def percent(share: float) -> str:
    """0.05 as "5 %"."""
    return f"{100 * share:.4g} %"


def duration(seconds: float) -> str:
    """A length of time in the unit that fits: "40 s", "12 min", "3 h 5 min"."""
    whole = round(max(seconds, 0.0))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest and hours < 24 else f"{hours} h"


def lasts(step: RampStep, left: float) -> str:
    """Why a step is not over: it has a shortest time.

    Args:
        step: of the ramp.
        left: seconds.
    """
    return f"{percent(step.share)} lasts {duration(60 * step.minutes)} at least, {duration(left)} to go"


def announced(test: LiveTest) -> str:
    """Why a share is set: the ledger's last entry says so."""
    return f"step {test.index + 1} of the ramp, as entry {test.number} says"


def silent(seconds: float) -> str:
    """Why the ramp does not go on although its time has come."""
    since = f"for {duration(seconds)}" if math.isfinite(seconds) else "since this controller began"
    return f"no gateway has shipped a record {since}, so harm would not show"


def taken(traffic: Traffic) -> str:
    """A share that somebody else has set."""
    if traffic.step == 0:
        return "the share was taken back when a version was staged or promoted"
    shadow = ", as a shadow" if traffic.mode == "shadow" else ""
    return f"a person set the share to {percent(traffic.share)}{shadow} at {traffic.at[:19]}Z ({traffic.why})"


def telling(found: LiveVerdict) -> str:
    """What decides: the metrics with the worst verdict, and what an undecided one wants."""
    if found.mismatch.found:
        return found.reason
    worst = [one for one in found.results if one.verdict is found.verdict]
    if found.abort:
        worst = [one for one in found.results if one.name in found.abort]
    if found.verdict is Verdict.PASS:
        return found.reason
    said = (f"{one.name}: {one.reason}{f' It wants {one.more}.' if one.more else ''}" for one in worst)
    return " ".join(said)


def ended(test: LiveTest) -> str:
    """How a test that is over has ended, and when."""
    names, at = f"v{test.challenger} against v{test.champion}", f"{test.at[:19]}Z"
    told = {
        "passed": f"{names} passed at {at} and awaits a person",
        "aborted": f"{names} was aborted at {at}: {test.reason}",
        "baked": f"v{test.challenger} is champion, and its baking ended well at {at}",
        "rolled-back": f"v{test.challenger} was rolled back from at {at}, while baking: {test.reason}",
        "stopped": f"{names} was given up at {at}: {test.reason}",
    }
    return told[test.event]
