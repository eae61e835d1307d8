"""How the interval of a metric narrowed while a live test ran, as an SVG that needs nothing else.

Up is better. Lines stretch with the page while the text keeps its size, and colours follow the page's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from mlflowctl.live.page import result_of
from mlflowctl.registry.evidence import words
from mlflowctl.registry.evidence.figures import decimals, number, signed
from mlflowctl.registry.evidence.plain import one_line

Look = tuple[float, dict[str, Any]]  # seconds since 1970 UTC, and the metric's result as it was told

TOP, BOTTOM = 12.0, 88.0  # percent of the height, between which what is finite lies
EXTENT = 2.5  # the plot shows at most so many widths of the last interval around it
MOST = 200  # looks that are drawn


@dataclass(frozen=True)
class Point:
    """One look, in percent of the plot's width and height; down is larger.

    Attributes:
        x: when.
        low: the lower bound; below the plot if there is none.
        estimate: the difference.
        high: the upper bound; above the plot if there is none.
    """

    x: float
    low: float
    estimate: float
    high: float


@dataclass(frozen=True)
class TimePlot:
    """The looks of one metric.

    Attributes:
        points: in the order of time.
        zero: where both versions are alike, in percent of the height.
        limit: what the band must lie above; None if nothing is asked.
        limit_label: the limit in the metric's unit.
        label: the last estimate.
        begin: of the first look, for people.
        end: of the last one.
        text: all of it in words.
    """

    points: tuple[Point, ...]
    zero: float
    limit: float | None
    limit_label: str
    label: str
    begin: str
    end: str
    text: str


def over_time(looks: Iterable[Look]) -> TimePlot | None:
    """The plot of one metric; None without a look that has an interval.

    Args:
        looks: in any order. At most ``MOST`` are drawn, the first and the last always.
    """
    seen = [(at, result_of(told)) for at, told in sorted(looks, key=lambda one: one[0])]
    turned = [(at, gate, words.difference(gate)) for at, gate in seen]
    kept = [(at, gate, found) for at, gate, found in turned if found is not None]
    if not kept:
        return None
    kept = thinned(kept, MOST)
    first, (last, gate, found) = kept[0][0], kept[-1]
    scale = _Scale(found, [one for _, _, one in kept])
    span = last - first
    points = tuple(
        Point(
            100 * (at - first) / span if span else 50.0, scale(one.low), scale(one.estimate), scale(one.high)
        )
        for at, _, one in kept
    )
    places = decimals(gate)
    limit = None if found.limit is None else scale(found.limit)
    return TimePlot(
        points=points,
        zero=scale(0.0),
        limit=limit,
        limit_label="" if found.limit is None else f"limit {signed(found.limit)}",
        label=signed(found.estimate, places),
        begin=_time(first),
        end=_time(last),
        text=_told(gate.name, found, len(kept), places),
    )


def thinned(looks: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the looks, evenly chosen; the first and the last stay."""
    if len(looks) <= most:
        return list(looks)
    return [looks[round(at * (len(looks) - 1) / (most - 1))] for at in range(most)]


def svg(plot: TimePlot, name: str) -> str:
    """The drawing. It loads nothing, runs nothing and has no style of its own.

    Args:
        plot: of the metric.
        name: of the metric.
    """
    band = " ".join(
        f"{one.x:.2f},{y:.2f}"
        for one, y in [*((p, p.high) for p in plot.points), *((p, p.low) for p in reversed(plot.points))]
    )
    middle = " ".join(f"{one.x:.2f},{one.estimate:.2f}" for one in plot.points)
    last = plot.points[-1]
    lines = [_level(plot.zero, 'opacity=".4"')]
    if plot.limit is not None:
        lines.append(_level(plot.limit, 'stroke-width="2" stroke-dasharray="5 4"'))
        lines.append(_text(0, plot.limit, plot.limit_label, "start"))
    stretched = 'vector-effect="non-scaling-stroke" fill="none" stroke="currentColor"'
    drawn = (
        f'<polygon points="{band}" fill="currentColor" opacity=".2"/>'
        f'<polyline points="{middle}" {stretched} stroke-width="2"/>'
        f'<polyline points="{last.x:.2f},{last.high:.2f} {last.x:.2f},{last.low:.2f}" {stretched}'
        ' stroke-width="3"/>'
    )
    title = f"{_plain(name)}: how the interval of the difference narrowed, up is better"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="plot over-time" width="100%" height="190" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{title}</title><desc>{_plain(plot.text)}</desc>'
        f'<svg width="100%" height="170" viewBox="0 0 100 100" preserveAspectRatio="none">{drawn}</svg>'
        f'<svg width="100%" height="170" overflow="visible">{"".join(lines)}'
        f'<circle cx="{last.x:.2f}%" cy="{last.estimate:.2f}%" r="5" fill="currentColor"/>'
        f"{_text(last.x, last.estimate, plot.label, 'end' if last.x > 60 else 'start', 10)}</svg>"
        f'<text x="0" y="186" class="aside">{_plain(plot.begin)}</text>'
        f'<text x="100%" y="186" text-anchor="end" class="aside">{_plain(plot.end)}</text></svg>'
    )


def _level(y: float, look: str) -> str:
    return f'<line x1="0" x2="100%" y1="{y:.2f}%" y2="{y:.2f}%" stroke="currentColor" {look}/>'


def _text(x: float, y: float, text: str, anchor: str, away: int = 0) -> str:
    shift = -away if anchor == "end" else away
    return (
        f'<text x="{x:.2f}%" dx="{shift}" y="{y:.2f}%" dy="-6" text-anchor="{anchor}">{_plain(text)}</text>'
    )


def _plain(text: str) -> str:
    return escape(one_line(text), quote=True)


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def _told(name: str, found: words.Difference, looks: int, places: int | None) -> str:
    low = "no lower bound" if math.isinf(found.low) else f"at least {signed(found.low, places)}"
    high = "no upper bound" if math.isinf(found.high) else f"at most {signed(found.high, places)}"
    count = f"{number(looks, 0)} look{'s' if looks > 1 else ''}"
    return f"{name}: better by {signed(found.estimate, places)} ({low}, {high}) at the last of {count}."


class _Scale:
    """Differences to percent of the height, so chosen that the last interval can be seen well."""

    def __init__(self, last: words.Difference, every: Sequence[words.Difference]) -> None:
        shown = [0.0, last.estimate, *([] if last.limit is None else [last.limit])]
        shown += [one for one in (last.low, last.high) if math.isfinite(one)]
        bounds = [one for look in every for one in (look.low, look.estimate, look.high) if math.isfinite(one)]
        # Divided first, so that not even the widest range overflows.
        self.unit = max(map(abs, [*shown, *bounds])) or 1.0
        low, high = min(shown) / self.unit, max(shown) / self.unit
        room = EXTENT * max(high - low, 1e-12)
        self.low = max(min(one / self.unit for one in [*shown, *bounds]), low - room)
        self.high = min(max(one / self.unit for one in [*shown, *bounds]), high + room)
        if self.high <= self.low:
            self.low, self.high = self.low - 1, self.high + 1

    def __call__(self, value: float) -> float:
        if math.isinf(value):
            return 0.0 if value > 0 else 100.0
        part = (value / self.unit - self.low) / (self.high - self.low)
        return min(max(BOTTOM - (BOTTOM - TOP) * part, 0.0), 100.0)
