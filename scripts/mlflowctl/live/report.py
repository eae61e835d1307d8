"""How a live test stands: for ``live status``, its JSON, and the page. Reads only, and needs no policy file.

Numbers are those of the controller's last note; it is a few seconds old while a controller runs.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from mlflowctl.live import hold, words
from mlflowctl.live import notebook as notes
from mlflowctl.live.hold import Keeper
from mlflowctl.live.state import LiveTest
from mlflowctl.registry import ledger, ledger_state
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Entry, quoted
from mlflowctl.registry.requirements import named
from mlflowctl.serving.traffic import of_state

HISTORY = 30  # entries

State = dict[str, Any]


def status(desk: Desk, model: str) -> dict[str, Any]:
    """Everything about the live test of a model.

    Args:
        desk: where to look.
        model: name of the registered model.

    Raises:
        NotFoundError: there is no such model.
    """
    head = desk.head(model)
    if head.number == 0:
        desk.registry.model_tags(model)  # raises if there is no such model
    state, test = head.state, LiveTest.of(head.state)
    keeper = hold.look(desk.objects, model)
    told = _told(desk, model, test)
    traffic = of_state(state)
    return {
        "model": model,
        "champion": state["champion"],
        "challenger": state["challenger"],
        "share": traffic.share,
        "mode": traffic.mode,
        "sticky": traffic.sticky,
        "share_since": traffic.at or None,
        "share_by": traffic.by if traffic.step else None,
        "test": _test(test),
        "controller": _keeper(keeper),
        "ramp": _ramp(desk, model, state, test, told),
        **_seen(told),
        "history": history(desk, model, head.number, test),
        "remarks": _remarks(model, state, test, keeper),
    }


def _seen(told: dict[str, Any]) -> dict[str, Any]:
    """What the last look saw."""
    verdict = told.get("verdict") or {}
    return {
        "seen_at": told.get("at"),
        "doing": told.get("reason"),
        "requests": told.get("requests") or {"champion": 0, "challenger": 0},
        "verdict": verdict.get("verdict"),
        "reason": verdict.get("reason"),
        "mismatch": verdict.get("mismatch"),
        "metrics": verdict.get("metrics") or [],
        "baking": told.get("baking") or [],
    }


def _told(desk: Desk, model: str, test: LiveTest | None) -> dict[str, Any]:
    """What the controller noted last, if it is about this test."""
    if test is None:
        return {}
    raw, _ = notes.raw(desk.objects, model)
    if raw.get("test") != test.test:
        return {}
    told: dict[str, Any] = dict(raw.get("told") or {})
    steps = (raw.get("evidence") or {}).get("steps", [])
    told["requests"] = {
        variant: sum(int(one[variant]["errors"]["seen"]) for one in steps)
        for variant in ("champion", "challenger")
    }
    return told


def _test(test: LiveTest | None) -> dict[str, Any] | None:
    if test is None:
        return None
    return {
        "number": test.test,
        "event": test.event,
        "at": test.at,
        "over": test.over,
        "champion": test.champion,
        "challenger": test.challenger,
        "reason": test.reason,
        "evidence": test.evidence,
    }


def _keeper(keeper: Keeper | None) -> dict[str, Any] | None:
    if keeper is None:
        return None
    last = datetime.now(UTC) - timedelta(seconds=keeper.seconds)
    return {
        "runs": keeper.runs,
        "name": keeper.name,
        "host": keeper.host,
        "pid": keeper.pid,
        "ended": keeper.ended,
        "seconds": round(keeper.seconds, 1),
        "since": last.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "looked": keeper.looked or None,
    }


def _ramp(
    desk: Desk, model: str, state: State, test: LiveTest | None, told: dict[str, Any]
) -> dict[str, Any] | None:
    """Where on the ramp it is, and when the next step comes at the earliest."""
    steps = told.get("ramp")
    if test is None or test.over or not steps:
        return None
    baking = test.baking or state["champion"] == test.challenger
    began = _reign(state) if baking else of_state(state).step
    stored = desk.objects.get(ledger.key(model, began)) if began else None
    lasted = max(stored.age, 0.0) if stored else 0.0
    index = min(test.index, len(steps) - 1)
    minutes = float(told["bake_minutes"] if baking else steps[index]["minutes"])
    left = max(60 * minutes - lasted, 0.0)
    at = datetime.now(UTC) + timedelta(seconds=left)
    following = "" if baking else _following(steps, index, told)
    return {
        "index": index,
        "steps": steps,
        "baking": baking,
        "seconds": round(lasted, 1),
        "next": following or "the end of baking",
        "earliest": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds_left": round(left, 1),
    }


def _following(steps: list[dict[str, Any]], index: int, told: dict[str, Any]) -> str:
    if index + 1 < len(steps):
        return f"{words.percent(float(steps[index + 1]['share']))} of the requests"
    return "promotion by the controller" if told.get("promote") else "the verdict; a person promotes"


def _reign(state: State) -> int:
    return next((one["number"] for one in state["reigns"] if one["version"] == state["champion"]), 0)


def history(desk: Desk, model: str, last: int, test: LiveTest | None) -> list[dict[str, Any]]:
    """What happened to traffic and test, newest first: of the last test, or of the last entries.

    Args:
        desk, model: where.
        last: number of the ledger's head.
        test: the last one.
    """
    first = max(1, last - 10 * HISTORY, min(test.test if test else last, last - HISTORY))
    rows = []
    for one in desk.ledger(model).entries(first) if last else ():
        entry = one.entry
        if entry and entry.kind in (ledger_state.TRAFFIC, ledger_state.LIVE):
            rows.append(_row(entry))
    return rows[::-1][:HISTORY]


def _row(entry: Entry) -> dict[str, Any]:
    body = entry.body
    if entry.kind == ledger_state.LIVE:
        what, versions = str(body["event"]), f"v{body['challenger']} against v{body['champion']}"
    else:
        shadow = " as a shadow" if body["mode"] == "shadow" else ""
        what, versions = f"share {words.percent(body['share'])}{shadow}", named(body["challenger"])
    automatic = entry.kind == ledger_state.LIVE or body["by"] == "live"
    return {
        "entry": entry.number,
        "at": entry.at,
        "what": what,
        "versions": versions,
        "by": "controller" if automatic else entry.actor["name"],
        "reason": entry.reason,
    }


def _remarks(model: str, state: State, test: LiveTest | None, keeper: Keeper | None) -> list[str]:
    """What an engineer must know, each with the next command."""
    name, remarks = quoted(model), []
    watched = keeper is not None and keeper.runs
    traffic = of_state(state)
    under_way = test is not None and not test.over
    if under_way and not watched:
        since = f"since {words.duration(keeper.seconds)} ago" if keeper else "and never did"
        how = "it was stopped" if keeper and keeper.ended else "it died" if keeper else "there was none"
        remarks.append(
            f"No controller is running {since} ({how}); the traffic stays as it is and nobody watches it. "
            f"mlflowctl live run {name} goes on, mlflowctl model traffic {name} --challenger 0 ends the risk."
        )
    if not under_way and traffic.share > 0 and not watched:
        remarks.append(
            f"v{traffic.challenger} gets {words.percent(traffic.share)} and no live test watches it: "
            f"mlflowctl live run {name}"
        )
    if state["frozen"]:
        remarks.append(f"The model is frozen, so the ramp stands still: mlflowctl model unfreeze {name}")
    return remarks
