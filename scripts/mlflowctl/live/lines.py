"""How a live test stands, in lines for a terminal."""

from __future__ import annotations

from typing import Any

from mlflowctl.live import words
from mlflowctl.registry.evidence import figures
from mlflowctl.registry.evidence.plain import one_line
from mlflowctl.registry.requirements import named


def summary(found: dict[str, Any]) -> list[str]:
    """What a person asks first.

    Args:
        found: of :func:`mlflowctl.live.report.status`.
    """
    return [one_line(line, 1000) for line in _summary(found)]


def _summary(found: dict[str, Any]) -> list[str]:
    champion, challenger = named(found["champion"]), named(found["challenger"])
    shadow = " as a shadow" if found["mode"] == "shadow" else ""
    share = words.percent(found["share"])
    lines = [f"{found['model']}: champion {champion}, challenger {challenger} gets {share}{shadow}"]
    test = found["test"]
    if test is None:
        return [*lines, "There was no live test yet."]
    state = "over" if test["over"] else "under way"
    lines.append(f"test {test['number']}: {test['event']} at {test['at'][:19]}Z ({state}): {test['reason']}")
    lines += _ramp(found["ramp"])
    if found["doing"] and not test["over"]:
        lines.append(f"now: {found['doing']}")
    if found["verdict"]:
        seen = found["requests"]
        lines.append(
            f"verdict: {found['verdict']} after {seen['champion']:,} and {seen['challenger']:,} requests, "
            f"as of {found['seen_at'][:19]}Z"
        )
    mismatch = found["mismatch"]
    if mismatch and mismatch["found"]:
        lines.append(f"mismatch: {mismatch['reason']}")
    return [*lines, _controller(found["controller"])]


def _ramp(ramp: dict[str, Any] | None) -> list[str]:
    if ramp is None:
        return []
    lasted, left = words.duration(ramp["seconds"]), words.duration(ramp["seconds_left"])
    when = f"not before {ramp['earliest'][:19]}Z, in {left}" if ramp["seconds_left"] else "its time has come"
    if ramp["baking"]:
        return [f"baking: for {lasted}; ends {when}"]
    step = f"step {ramp['index'] + 1} of {len(ramp['steps'])}, for {lasted}"
    return [f"{step}; next: {ramp['next']}, {when}"]


def _controller(keeper: dict[str, Any] | None) -> str:
    if keeper is None:
        return "controller: there was none yet"
    who = f"{keeper['name']} on {keeper['host']}, process {keeper['pid']}"
    if keeper["runs"]:
        return f"controller: runs ({who}), last look at {(keeper['looked'] or 'no time yet')[:19]}"
    how = "stopped" if keeper["ended"] else "died"
    return f"controller: none since {keeper['since']}; the last one ({who}) {how}"


def metrics(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row per metric: name, both values, the interval of the difference, verdict, and why."""
    return [_row(one) for one in found["baking"] or found["metrics"]]


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    interval = one["interval"]
    difference = "-"
    if interval is not None:
        low, high = (_bound(interval[side]) for side in ("low", "high"))
        difference = f"{figures.signed(interval['estimate'])} [{low}, {high}]"
    more = f" It wants {one['more']}." if one["more"] else ""
    values = (_value(one["champion"]), _value(one["challenger"]))
    why = one_line(f"{one['reason']}{more}", 500)
    return (one_line(one["name"], 100), *values, difference, one["verdict"], why)


def _value(value: float | None) -> str:
    return "-" if value is None else figures.number(value)


def _bound(value: float | None) -> str:
    return "none yet" if value is None else figures.signed(value)
