"""What the controller says while it works."""

from __future__ import annotations

from typing import Any

from mlflowctl.live.sight import Act, Action, Sight
from mlflowctl.live.state import LiveTest
from mlflowctl.live.words import percent


def described(action: Action, sight: Sight) -> str:
    """An action that is about to be carried out, in a line."""
    share = percent(sight.live.steps[action.index].share) if action.index < len(sight.live.steps) else ""
    told = {
        Act.START: f"start: {action.reason}",
        Act.SHARE: f"share: the challenger gets {share} ({action.reason})",
        Act.ADVANCE: f"advance: {action.reason}",
        Act.ABORT: f"ABORT: {action.reason}. The champion gets everything.",
        Act.PASS: f"passed: {action.reason}",
        Act.YIELD: f"yield: {action.reason}. Nothing more is done.",
        Act.ROLL_BACK: f"ROLL BACK: {action.reason}",
    }
    return told.get(action.act, f"{action.act}: {action.reason}")


def left_behind(state: dict[str, Any]) -> str:
    """What goes on without a controller.

    Args:
        state: of the ledger; empty if it could not be read.
    """
    test = LiveTest.of(state) if state else None
    if test is None or test.over:
        return "No live test is under way."
    if test.baking:
        return f"v{test.challenger} stays champion, and nobody watches it."
    traffic = state.get("traffic") or {"share": 0.0}
    share = percent(float(traffic["share"]))
    return f"The traffic stays as it is: v{test.challenger} gets {share}, and nobody watches it."
