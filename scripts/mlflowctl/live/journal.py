"""An entry of a live test in the ledger, and the evidence that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlflowctl.errors import ConflictError
from mlflowctl.live import notebook as notes
from mlflowctl.live.notebook import Notebook
from mlflowctl.live.sight import Action, Sight
from mlflowctl.registry import ledger_state, registration
from mlflowctl.registry.ledger import Chained
from mlflowctl.serving.traffic import of_state

if TYPE_CHECKING:
    from mlflowctl.live.watch import Watch


class MovedOnError(ConflictError):
    """Somebody wrote between the look and the act; the next look sees it."""


def write(watch: Watch, event: str, action: Action, sight: Sight, facts: Sight | None = None) -> Chained:
    """Keep the evidence, then the entry that names it.

    Args:
        watch: that looked.
        event: of ``state.EVENTS``.
        action: that is noted.
        sight: the state on which the entry rests.
        facts: what was seen, if that was another look.
    """
    state = sight.state
    test = sight.test if event != "started" else None
    challenger = test.challenger if test else state["challenger"]
    verdict = (facts or sight).verdict
    book = watch.notebook or Notebook(test.test if test else 0)
    told = {
        "verdict": notes.told_of(verdict),
        "baking": notes.told_results(watch.baked),
        "policy": watch.policy.digest,
    }
    key, sha256 = notes.keep(watch.desk.objects, watch.model, challenger, event, book, told)
    body = {
        "event": event,
        "test": test.test if test else 0,
        "index": action.index if not test or event == "advanced" else test.index,
        "step": sight.traffic.step,
        "champion": test.champion if test else state["champion"],
        "challenger": challenger,
        "policy": test.policy if test else watch.policy.digest,
        "verdict": str(verdict.verdict) if verdict else None,
        "reason": action.reason,
        "evidence": key,
        "sha256": sha256,
    }
    written = _append(watch, action.reason, body, sight)
    book.looks = []
    return written


def _append(watch: Watch, reason: str, body: dict[str, Any], sight: Sight) -> Chained:
    seen = _standing(sight.state)

    def same(state: dict[str, Any]) -> None:
        if _standing(state) != seen:
            raise MovedOnError("The ledger has moved on.")

    return registration.append(watch.desk, watch.model, ledger_state.LIVE, reason, body, same)


def _standing(state: dict[str, Any]) -> tuple[Any, ...]:
    """What a decision rests on; freezing and approvals may come between."""
    return (state["live"] or {}).get("number"), of_state(state).step
