"""The report: one HTML page that stands alone, for whoever has to answer for the promotion.

Names, reasons and details come from strangers: everything is escaped, nothing on the page can run or load
(the page's own policy says so to the browser), and characters that would reorder the text are shown as such.
"""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256 as sha_256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.registry.evidence import figures, store, words
from mlflowctl.registry.evidence.model import Evidence, sha256, to_json
from mlflowctl.registry.evidence.plain import visible
from mlflowctl.registry.evidence.plot import plot

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

MOST_ROWS = 100  # of run metrics and parameters; the rest is in evidence.json
NO_VALUE = "–"


def render(evidence: Evidence, digest: str | None = None, live: Markup | str = "") -> str:
    """The page.

    Args:
        evidence: what to show.
        digest: SHA-256 of evidence.json as it was stored; by default it is computed.
        live: the section of the live test that followed (``mlflowctl.live.section``); "" for none.
    """
    page = _template().render(
        evidence=evidence,
        digest=digest or sha256(to_json(evidence)),
        folder=store.key(evidence.model, evidence.version, evidence.id, evidence.at),
        at=evidence.at[:16].replace("T", " ") + " UTC",
        headline=words.headline(evidence),
        why=words.why(evidence),
        blocking=[
            (words.name_of(one), words.said(one), words.would_pass(one, evidence))
            for one in words.blocking(evidence)
        ],
        validity=words.validity(evidence),
        live=live,
        gates=[_gate(evidence, index) for index in range(len(evidence.gates))],
        policy=policy_rows(evidence.policy),
        facts=fact_rows(evidence),
        metrics=_pairs(evidence, "metrics"),
        params=_pairs(evidence, "params"),
    )
    # A lone surrogate that came another way (a file name, say) would make the page impossible to write.
    return page.lstrip().encode("utf-8", "replace").decode()


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "csp_hash": _csp_hash,
        "number": figures.number,
        "percent": figures.percent,
        "confidence": figures.confidence,
    }
    environment.globals |= {"RESULT": words.RESULT}
    return environment.from_string(Path(__file__).with_name("report.html.j2").read_text("utf-8"))


def _shown(value: Any) -> Any:
    """Every plain string on its way into the page; markup that the template made stays as it is."""
    return visible(value) if type(value) is str else value


def _csp_hash(style: str) -> str:
    """The style sheet's source expression for the page's policy, so that no other style is applied."""
    return "sha256-" + b64encode(sha_256(str(style).encode()).digest()).decode()


def _gate(evidence: Evidence, index: int) -> dict[str, Any]:
    gate = evidence.gates[index]
    places = figures.decimals(gate)
    required = [words.required_of(one) for one in words.requirements(gate, evidence)]
    return {
        "result": gate,
        "id": f"gate-{index + 1}",
        "plot": plot(gate),
        "comparison": words.comparison(gate, evidence),
        "required": "; ".join(required) or "nothing",
        "challenger": figures.number(gate.challenger, places) if gate.challenger is not None else NO_VALUE,
        "champion": figures.number(gate.champion, places) if gate.champion is not None else NO_VALUE,
    }


def fact_rows(evidence: Evidence) -> list[tuple[str, str, str]]:
    """The facts of both models: label, challenger's, champion's."""
    ours, theirs = evidence.facts["challenger"], evidence.facts.get("champion")
    rows = [
        ("Registered", "registered_at", _as_it_is),
        ("Registered by", "registered_by", _as_it_is),
        ("Source run", "run_id", _as_it_is),
        ("Flavor", "flavor", _as_it_is),
        ("Python", "python_version", _as_it_is),
        ("Artifacts", "artifacts", _files),
        ("Artifact digest", "artifact_digest", _as_it_is),
        ("Signature", "signature", _as_it_is),
    ]
    return [
        (label, tell(ours[name]) or NO_VALUE, (theirs and tell(theirs[name])) or NO_VALUE)
        for label, name, tell in rows
    ]


def _as_it_is(value: Any) -> str:
    return str(value)


def _files(sizes: dict[str, int]) -> str:
    if not sizes:
        return ""
    return f"{len(sizes)} file{'s' if len(sizes) > 1 else ''}, {figures.size(sum(sizes.values()))}"


def _pairs(evidence: Evidence, name: str) -> list[tuple[str, str, str]]:
    """Metrics or parameters of both runs, side by side."""
    ours = evidence.facts["challenger"][name]
    theirs = (evidence.facts.get("champion") or {}).get(name, {})
    keys = sorted({*ours, *theirs})
    rows = [(key, _value(ours.get(key)), _value(theirs.get(key))) for key in keys[:MOST_ROWS]]
    if len(keys) > MOST_ROWS:
        rows.append((f"and {len(keys) - MOST_ROWS} more in evidence.json", "", ""))
    return rows


def _value(value: Any) -> str:
    if value is None:
        return NO_VALUE
    return figures.number(value) if isinstance(value, float) else str(value)


def policy_rows(policy: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """The policy as label and value, one row for each metric; nested settings carry the outer name."""
    rows: list[tuple[str, str]] = []
    for key, value in policy.items():
        label = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, dict):
            rows += policy_rows(value, f"{key}: ")
        elif isinstance(value, list | tuple):
            rows += [_listed(label, index, one) for index, one in enumerate(value, 1)]
        elif value is not None and value != "":
            rows.append((label, _setting(value)))
    return rows


def _listed(label: str, index: int, value: Any) -> tuple[str, str]:
    if isinstance(value, dict) and value.get("name"):
        return f"{label}: {value['name']}", _setting(
            {key: one for key, one in value.items() if key != "name"}
        )
    return f"{label} {index}", _setting(value)


def _setting(value: Any) -> str:
    if isinstance(value, dict):
        told = [(key, one) for key, one in value.items() if one is not None and one != ""]
        return ", ".join(f"{key.replace('_', ' ')} {_setting(one)}" for key, one in told)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return figures.number(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)
