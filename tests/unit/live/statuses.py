"""What ``live status`` answers, as samples for the page and the terminal: no stack is needed to show one."""

from __future__ import annotations

from copy import deepcopy
from typing import Any


def metric(**more: Any) -> dict[str, Any]:
    interval = {
        "estimate": 0.0004,
        "low": -0.0021,
        "high": 0.0032,
        "alpha": 0.05,
        "method": "m",
        "rows": 9000,
    }
    found = {
        "name": "error rate", "kind": "outcomes", "role": "guardrail", "rule": "non-inferior",
        "direction": "lower", "verdict": "pass", "reason": "Worse by 0.0004; surely less than 0.01.",
        "more": "", "challenger": 0.0104, "champion": 0.01, "threshold": None, "margin": 0.01,
        "interval": interval,
    }  # fmt: skip
    return {**found, **more}


STATUS: dict[str, Any] = {
    "model": "churn",
    "champion": 6,
    "challenger": 7,
    "share": 0.05,
    "mode": "split",
    "sticky": False,
    "share_since": "2026-11-27T12:00:00.000Z",
    "share_by": "live",
    "test": {
        "number": 31, "event": "advanced", "at": "2026-11-27T12:00:00.000Z", "over": False, "champion": 6,
        "challenger": 7, "reason": "1 % did no harm; next 5 %", "evidence": "evidence/churn/7/live/x.json",
    },
    "controller": {
        "runs": True, "name": "ada", "host": "web-1", "pid": 4711, "ended": False, "seconds": 2.0,
        "since": "2026-11-27T12:30:00Z", "looked": "2026-11-27T12:30:00.000Z",
    },
    "ramp": {
        "index": 1,
        "steps": [{"share": a, "minutes": b} for a, b in ((0.01, 10), (0.05, 60), (0.25, 120))],
        "baking": False, "seconds": 1800.0, "next": "25 % of the requests",
        "earliest": "2026-11-27T13:00:00Z", "seconds_left": 1800.0,
    },
    "seen_at": "2026-11-27T12:30:00.000Z",
    "doing": "5 % lasts 60 min at least, 30 min to go",
    "requests": {"champion": 181_234, "challenger": 9_471},
    "verdict": "inconclusive",
    "reason": "latency p95: undecided",
    "mismatch": {
        "p_value": 0.8, "found": False, "planned": 9535.2, "challenger": 9471, "seen": 190_705, "reason": "r",
    },
    "metrics": [
        metric(),
        metric(
            name="latency p95", verdict="inconclusive", challenger=48.2, champion=41.0, margin=10.0,
            reason="Worse by 7.2; with 95 % confidence worse by at most 13.",
            more="about 12,000 more records",
            interval={"estimate": 7.2, "low": 1.1, "high": 13.0, "alpha": 0.05, "method": "m", "rows": 9000},
        ),
        metric(
            name="conversion", role="primary", rule="superior", direction="higher", verdict="inconclusive",
            margin=0.0, challenger=0.12, champion=0.11, reason="Better by 0.01.",
            interval={"estimate": 0.01, "low": None, "high": None, "alpha": 0.05, "method": "m", "rows": 90},
        ),
    ],
    "baking": [],
    "history": [
        {"entry": 33, "at": "2026-11-27T12:00:00.000Z", "what": "share 5 %", "versions": "v7",
         "by": "controller", "reason": "live test 31: step 2 of the ramp"},
        {"entry": 31, "at": "2026-11-27T11:50:00.000Z", "what": "started", "versions": "v7 against v6",
         "by": "controller", "reason": "v7 against v6, beginning with 1 %"},
    ],
    "remarks": [],
}  # fmt: skip


def changed(**more: Any) -> dict[str, Any]:
    return {**deepcopy(STATUS), **more}


def none_yet() -> dict[str, Any]:
    return changed(
        challenger=None, share=0.0, share_by=None, share_since=None, test=None, controller=None, ramp=None,
        seen_at=None, doing=None, requests={"champion": 0, "challenger": 0}, verdict=None, reason=None,
        mismatch=None, metrics=[], history=[],
    )  # fmt: skip


def aborted() -> dict[str, Any]:
    test = {**STATUS["test"], "event": "aborted", "over": True, "reason": "harm to error rate: worse by 0.2"}
    return changed(share=0.0, test=test, ramp=None, metrics=[metric(verdict="fail")], verdict="fail")


def mismatched() -> dict[str, Any]:
    found = {**STATUS["mismatch"], "found": True, "reason": "The challenger answered 2 % instead of 5 %."}
    return changed(mismatch=found)


def baking() -> dict[str, Any]:
    ramp = {**STATUS["ramp"], "index": 2, "baking": True, "next": "the end of baking"}
    test = {**STATUS["test"], "event": "promoted"}
    return changed(champion=7, challenger=None, share=0.0, ramp=ramp, test=test, baking=[metric()])


def hostile() -> dict[str, Any]:
    bad = "<script>document.title='run'</script>\u202e\x1b[31m"
    row = {**STATUS["history"][0], "reason": bad, "by": bad}
    dead = {**STATUS["controller"], "runs": False, "name": bad}
    return changed(model=bad, doing=bad, remarks=[bad], history=[row], metrics=[metric(name=bad, reason=bad)],
                   controller=dead)  # fmt: skip


ALL = {
    "under way": lambda: deepcopy(STATUS), "none yet": none_yet, "aborted": aborted, "mismatch": mismatched,
    "baking": baking, "hostile": hostile,
}  # fmt: skip
