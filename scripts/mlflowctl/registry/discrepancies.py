"""Where stages, aliases, tags and ledger disagree, and what would mend each: found by reading only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mlflowctl.errors import NotFoundError
from mlflowctl.plan import Action, Step
from mlflowctl.registry import foreign
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Chained
from mlflowctl.registry.port import (
    BREAK_GLASS_TAG,
    HEAD_TAG,
    RETIRE_TAG,
    VALIDATION_STATUS,
    Version,
)
from mlflowctl.registry.requirements import named
from mlflowctl.registry.rollback import broken_glass

Prefer = Literal["registry", "ledger"]
PREFERENCES: dict[str, Prefer] = {"registry": "registry", "ledger": "ledger"}


@dataclass(frozen=True)
class Mend(Step):
    """One thing that is out of step.

    Attributes:
        kind: what to do: finish, observe, glass, switch, tag, untag-retire, untag-glass, witness,
            acknowledge; "" for a person.
        facts: what doing it needs.
    """

    kind: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class _View:
    """The registry as it stands, read once."""

    model: str
    champion: Version | None
    challenger: Version | None
    tags: dict[str, str]
    head: Chained


def plan(
    desk: Desk,
    model: str,
    prefer: Prefer = "registry",
    head: Chained | None = None,
    *,
    history: bool = True,
) -> list[Mend]:
    """Everything that is out of step, and what would mend it; reads only.

    Args:
        desk: where to look.
        model: name of the registered model.
        prefer: where champion and ledger differ: ``registry`` records what serves, ``ledger`` switches back
            to what the ledger says (after a database was restored to an earlier time).
        head: the ledger's head, if it was read already.
        history: also compare the whole ledger with the database's history, which takes a while if it is long.
    """
    view = _View(
        model,
        desk.registry.champion(model),
        desk.registry.challenger(model),
        desk.registry.model_tags(model),
        head or desk.head(model),
    )
    found: list[Mend] = []
    if view.head.state["open"]:
        left = view.head.state["open"]
        what = f"{left['move']} of v{left['version']}, begun at {left['at']} by {left['actor']['name']}"
        found.append(Mend(Action.CHANGE, "unfinished move", f"finish or abort: {what}", "finish"))
        return found  # the rest is judged when this is settled
    found += _champion(desk, view, prefer)
    found += _challenger(view)
    found += _statuses(desk, view)
    found += _tags(view)
    if history:
        found += _unrecorded(desk, view)
    return found


def _champion(desk: Desk, view: _View, prefer: Prefer) -> list[Mend]:
    said, now = view.head.state["champion"], view.champion.version if view.champion else None
    if view.champion is not None and view.champion.stage != "Production":
        detail = f"names v{now}, which is in {view.champion.stage}: mlflowctl bootstrap --mend"
        return [Mend(Action.ATTENTION, "alias champion", detail)]
    glass = broken_glass(view.champion) if view.champion else None
    if glass and view.champion and glass["from"] == said:
        who = f"{glass['actor']['name']} at {glass['at']}"
        detail = f"record the rollback v{said} to v{now} by {who} (break glass)"
        return [Mend(Action.CREATE, "ledger entry", detail, "glass", dict(glass))]
    if said == now:
        if glass:  # left by a rollback that did not come to its switch; the next one would believe it
            detail = f"remove tag {BREAK_GLASS_TAG}: nothing came of it, or it is recorded"
            return [Mend(Action.REMOVE, f"version {now}", detail, "untag-glass", {"version": now})]
        return []
    if prefer == "ledger" and said is not None:
        return [_switch_back(desk, view, said, now)]
    detail = f"champion is {named(now)}, the ledger says {named(said)}: record that somebody else changed it"
    found = [Mend(Action.CREATE, "ledger entry", detail, "observe")]
    left = desk.registry.previous(view.model)
    if left and broken_glass(left):
        detail = f"remove tag {BREAK_GLASS_TAG}: somebody else has changed the champion since"
        facts = {"version": left.version}
        found.append(Mend(Action.REMOVE, f"version {left.version}", detail, "untag-glass", facts))
    return found


def _switch_back(desk: Desk, view: _View, said: int, now: int | None) -> Mend:
    try:
        stage = desk.registry.version(view.model, said).stage
    except NotFoundError:
        detail = (
            f"the ledger says v{said}, which the registry does not have; mlflowctl model register it again"
        )
        return Mend(Action.ATTENTION, "champion", detail)
    detail = f"{named(now)} to v{said}, as the ledger says (v{said} is in {stage})"
    return Mend(Action.CHANGE, "champion", detail, "switch", {"version": said, "champion": now})


def _challenger(view: _View) -> list[Mend]:
    said, now = view.head.state["challenger"], view.challenger.version if view.challenger else None
    if said == now:
        return []
    detail = f"challenger is {named(now)}, the ledger says {named(said)}: record it"
    return [Mend(Action.CREATE, "ledger entry", detail, "observe")]


def _statuses(desk: Desk, view: _View) -> list[Mend]:
    """validation_status of the versions that matter, against the ledger."""
    state, found = view.head.state, []
    wanted = dict.fromkeys(state["failed"][-10:], "failed")
    for number, candidate in list(state["candidates"].items())[-10:]:
        verdict = {"pass": "passed", "fail": "failed"}.get(
            candidate.get("verdict", ""), candidate.get("verdict")
        )
        if (
            verdict
            and not candidate.get("void")
            and int(number) not in wanted
            and view.challenger
            and view.challenger.version == int(number)
        ):
            wanted[int(number)] = verdict
    for version, status in wanted.items():
        try:
            now = desk.registry.version(view.model, version).status
        except NotFoundError:
            found.append(
                Mend(Action.ATTENTION, f"version {version}", "is in the ledger and not in the registry")
            )
            continue
        if now != status:
            detail = f"{VALIDATION_STATUS} {now} to {status}"
            facts = {"version": version, "key": VALIDATION_STATUS, "value": status}
            found.append(Mend(Action.CHANGE, f"version {version}", detail, "tag", facts))
    for reign in state["reigns"][-state["keep"] :]:
        try:
            desk.registry.version(view.model, reign["version"])
        except NotFoundError:
            detail = "was champion, is protected, and is gone from the registry"
            found.append(Mend(Action.ATTENTION, f"version {reign['version']}", detail))
    return found


def _tags(view: _View) -> list[Mend]:
    found = []
    if RETIRE_TAG in view.tags and view.champion is not None:
        detail = (
            f"tag {RETIRE_TAG} is set although v{view.champion.version} serves: the guard would allow none"
        )
        found.append(Mend(Action.REMOVE, "registered model", detail, "untag-retire"))
    wanted = f"{view.head.number} {view.head.hash}"
    tag = view.tags.get(HEAD_TAG, "")
    number = int(tag.split(" ")[0]) if tag.split(" ")[0].isdigit() else 0
    if number > view.head.number:
        detail = (
            f"tag {HEAD_TAG} knows {number} entries, the ledger has {view.head.number}: mlflowctl model audit"
        )
        found.append(Mend(Action.ATTENTION, "ledger", detail))
    elif view.head.number and tag != wanted:
        detail = f"tag {HEAD_TAG} to entry {view.head.number}"
        found.append(Mend(Action.CHANGE, "registered model", detail, "witness"))
    return found


def _unrecorded(desk: Desk, view: _View) -> list[Mend]:
    """Switches that only the guard's history knows, because the champion came back to where it was; and
    switches that only the ledger knows, because the database was restored to an earlier time."""
    if view.head.number == 0 or (view.champion and view.champion.version) != view.head.state["champion"]:
        return []
    rows, lost = foreign.compared(desk, view.model)
    if not rows and not lost:
        return []
    said = []
    if rows:
        what = ", ".join(f"v{row.version} at {row.at:%Y-%m-%d %H:%M:%S}" for row in rows[:5])
        said.append(f"{len(rows)} switches by others, over by now ({what})")
    if lost:
        what = ", ".join(f"entry {number}: v{version}" for number, version in lost[:5])
        said.append(f"{len(lost)} switches that the database does not know any more ({what})")
    facts = {"ids": [row.id for row in rows], "lost": [number for number, _ in lost]}
    return [
        Mend(Action.CREATE, "ledger entry", f"{' and '.join(said)}: acknowledge them", "acknowledge", facts)
    ]
