"""The live test's part of the decision's report: what was counted, how each metric stands, how it got there.

It is made of what the controller kept for ever under ``evidence/``, so it can be made again years later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlflowctl.errors import NotFoundError
from mlflowctl.live.page import result_of
from mlflowctl.live.plot import Look, over_time, svg
from mlflowctl.registry.evidence import figures, words
from mlflowctl.registry.evidence.plain import one_line, visible
from mlflowctl.storage.desired import EVIDENCE_PREFIX

if TYPE_CHECKING:
    from jinja2 import Template

    from mlflowctl.registry.desk import Desk
    from mlflowctl.registry.objects import Objects

PAGE = 1000
NO_VALUE = "–"


@dataclass(frozen=True)
class LiveTest:
    """One live test, as it was kept.

    Attributes:
        model: name of the registered model.
        version: of the challenger.
        kept: what each decision of the controller rested on, in the order of time.
    """

    model: str
    version: int
    kept: tuple[dict[str, Any], ...]

    @property
    def last(self) -> dict[str, Any]:
        """The newest of them that has a verdict, else the newest."""
        judged = [one for one in self.kept if one.get("verdict")]
        return judged[-1] if judged else self.kept[-1]

    @property
    def verdict(self) -> dict[str, Any]:
        return self.last.get("verdict") or {}

    def looks(self, name: str) -> list[Look]:
        """Every look at a metric: those that decisions rested on, and those that were kept between them."""
        found = {}
        for one in self.kept:
            told = [(one["at"], one.get("verdict") or {}), *((at, seen) for at, seen in one.get("looks", ()))]
            for at, verdict in told:
                for metric in verdict.get("metrics", ()):
                    if metric["name"] == name:
                        found[datetime.fromisoformat(at).timestamp()] = metric
        return sorted(found.items())


def read(objects: Objects, model: str, version: int) -> LiveTest:
    """The last live test of a version.

    Raises:
        NotFoundError: there was none.
    """
    folder = f"{EVIDENCE_PREFIX}{quote(model, safe='')}/{version}/live/"
    bodies, after = [], ""
    while keys := objects.keys_after(folder, after, PAGE):
        after = keys[-1]
        for key in keys:
            stored = objects.get(key) if key.endswith(".json") else None
            if stored is not None:
                bodies.append(json.loads(stored.body))
    if not bodies:
        raise NotFoundError(
            f"Version {version} of model {model!r} was in no live test.",
            state="Nothing was changed.",
            next=f"mlflowctl live run {one_line(model)}",
        )
    bodies.sort(key=lambda one: one["at"])
    began = max((at for at, one in enumerate(bodies) if one["event"] == "started"), default=0)
    return LiveTest(model, version, tuple(bodies[began:]))


def html(test: LiveTest) -> str:
    """The section as HTML, for the page of :func:`mlflowctl.registry.evidence.report.render`."""
    results = [result_of(one) for one in test.verdict.get("metrics", ())]
    return _template().render(
        test=test,
        verdict=test.verdict.get("verdict", "inconclusive"),
        reason=test.verdict.get("reason", "Nothing was judged."),
        steps=_steps(test),
        outcomes=_outcomes(test),
        metrics=[_metric(test, one) for one in results],
        events=[(one["at"][:16].replace("T", " ") + " UTC", one["event"]) for one in test.kept],
    )


def report(desk: Desk, model: str, version: int) -> str:
    """One page with the gates of the validation and the live test.

    Raises:
        NotFoundError: the version was in no live test.
        IllegalMoveError: it was never validated.
    """
    from markupsafe import Markup

    from mlflowctl.registry.evidence import store
    from mlflowctl.registry.evidence.report import render
    from mlflowctl.registry.report import explained

    section = html(read(desk.objects, model, version))
    found = explained(desk, model, version)
    evidence = store.read(desk.objects.settings, found["evidence"], found["evidence_sha256"])
    return render(evidence, found["evidence_sha256"], Markup(section))  # noqa: S704 (escaped by its template)


def markdown(test: LiveTest) -> str:
    """The section as Markdown, for a pull request."""
    lines = [f"## Live test: {words.RESULT[test.verdict.get('verdict', 'inconclusive')]}", ""]
    lines += [_cell(test.verdict.get("reason", "Nothing was judged.")), ""]
    lines += _table(("step", "share", "champion", "challenger", "errors", "errors, challenger"), _steps(test))
    rows = [_metric(test, result_of(one)) for one in test.verdict.get("metrics", ())]
    head = ("metric", "champion", "challenger", "difference", "result", "why")
    lines += _table(
        head,
        [
            (
                one["name"],
                one["champion"],
                one["challenger"],
                one["difference"],
                one["verdict"],
                one["reason"],
            )
            for one in rows
        ],
    )
    lines += _table(("outcomes of", "what was found"), _outcomes(test))
    return "\n".join(lines).rstrip() + "\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    lines = [head, tuple("---" for _ in head), *rows]
    return [*("| " + " | ".join(_cell(one) for one in line) + " |" for line in lines), ""]


def _cell(text: str) -> str:
    """Text of strangers, which must not end its cell or become a link or HTML."""
    plain = one_line(text, 500).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{one}" if one in "\\`*_[]|" else one for one in plain)


def _steps(test: LiveTest) -> list[tuple[str, ...]]:
    """Number, share, requests of both, failed ones of both."""
    evidence = test.last.get("evidence") or {"steps": []}
    return [
        (
            str(one["number"]),
            figures.percent(one["share"]),
            *(figures.number(one[arm]["errors"]["seen"], 0) for arm in ("champion", "challenger")),
            *(figures.number(one[arm]["errors"]["hits"], 0) for arm in ("champion", "challenger")),
        )
        for one in evidence["steps"]
    ]


def _outcomes(test: LiveTest) -> list[tuple[str, ...]]:
    """How outcomes were matched with requests."""
    evidence = test.last.get("evidence") or {}
    rows: list[tuple[str, ...]] = []
    for name, notes in evidence.get("outcomes", {}).items():
        told = [f"{count:,} {what}" for what, count in notes.items() if what not in ("problem", "silent")]
        rows.append((name, ", ".join(told) + (f"; {notes['problem']}" if notes["problem"] else "")))
    return rows


def _metric(test: LiveTest, result: Any) -> dict[str, Any]:
    places = figures.decimals(result)
    drawn = over_time(test.looks(result.name))
    found = result.interval

    def told(value: float | None) -> str:
        return NO_VALUE if value is None else figures.number(value, places)

    return {
        "name": result.name,
        "role": result.role,
        "direction": result.direction,
        "champion": told(result.champion),
        "challenger": told(result.challenger),
        "difference": NO_VALUE if found is None else figures.signed(found.estimate, places),
        "verdict": str(result.verdict),
        "reason": result.reason,
        "more": result.more,
        "method": found.method if found else "",
        "svg": svg(drawn, result.name) if drawn else "",
    }


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"RESULT": words.RESULT}
    return environment.from_string(Path(__file__).with_name("section.html.j2").read_text("utf-8"))
