"""What people ask about a model: status, history, the champion of a day, why a version was refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlflowctl.errors import IllegalMoveError, MlflowctlError, NotFoundError, UsageError
from mlflowctl.registry import leases
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.ledger import Entry, quoted
from mlflowctl.registry.port import RETIRE_TAG
from mlflowctl.registry.requirements import named


def status(desk: Desk, model: str) -> dict[str, Any]:
    """Champion, challenger and what is under way; a store that does not answer is a remark, no error."""
    tags = desk.registry.model_tags(model)
    champion, challenger = desk.registry.champion(model), desk.registry.challenger(model)
    previous = desk.registry.previous(model)
    found: dict[str, Any] = {
        "model": model,
        "champion": champion.version if champion else None,
        "challenger": challenger.version if challenger else None,
        "previous": previous.version if previous else None,
        "validation_status": challenger.status if challenger else "",
        "frozen": False,
        "entries": 0,
        "remarks": [],
    }
    try:
        record, age = leases.look(desk.objects, model)
        head = desk.ledger(model).head(leases.witnessed(record))
    except MlflowctlError as exc:
        found["remarks"].append(f"the ledger cannot be read: {exc.what}")
        return found
    found |= {"entries": head.number, "frozen": bool(head.state["frozen"])}
    found["remarks"] = _remarks(model, head.state, found, tags, record, age)
    return found


def _remarks(
    model: str,
    state: dict[str, Any],
    found: dict[str, Any],
    tags: dict[str, str],
    record: dict[str, Any] | None,
    age: float,
) -> list[str]:
    remarks = []
    if record and not leases.is_free(record, age):
        holder = record.get("holder", {})
        remarks.append(f"{holder.get('name')} is changing it ({record.get('message')}), {age:.0f} s")
    elif state["open"]:
        left = state["open"]
        remarks.append(
            f"unfinished: {left['move']} of v{left['version']}; mlflowctl model reconcile {quoted(model)}"
        )
    if state["frozen"]:
        remarks.append(f"frozen: {state['frozen']['reason']}")
    if found["champion"] != state["champion"] and not state["open"]:
        remarks.append(
            f"the ledger says champion {named(state['champion'])}; mlflowctl model reconcile {quoted(model)}"
        )
    if state["retired"] or (RETIRE_TAG in tags and found["champion"] is None):
        remarks.append("retired")
    last = state["rolled_back"]
    if last and last["to"] == found["champion"]:
        remarks.append(f"rolled back from v{last['from']} at {last['at']}")
    return remarks


def history(desk: Desk, model: str, limit: int) -> list[dict[str, Any]]:
    """The last entries of the ledger, newest first.

    Raises:
        NotFoundError: there is neither a ledger nor a model.
    """
    head = desk.head(model)
    if head.number == 0:
        desk.registry.model_tags(model)  # raises if there is no such model either
    first = max(1, head.number - limit + 1)
    entries = [one.entry for one in desk.ledger(model).entries(first)] if head.number else []
    return [_row(entry) for entry in reversed(entries) if entry is not None]


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "entry": entry.number,
        "at": entry.at,
        "kind": entry.kind,
        "what": _what(entry),
        "champion": entry.state["champion"],
        "actor": entry.actor,
        "reason": entry.reason,
    }


def _what(entry: Entry) -> str:
    """One entry in words."""
    body = entry.body
    version = f"v{body['version']}" if body.get("version") else ""
    if entry.kind in ("intent", "done"):
        verb = f"{body['move']} {version}"
        before = f" (was {named(body['champion'])})" if body["stage"] == "Production" else ""
        forced = ", GATE OVERRIDDEN" if body.get("override") else ""
        again = ", finished for a dead command" if body.get("recovered") else ""
        return f"{verb}{before}{forced}{again}" if entry.kind == "done" else f"intends to {verb}{forced}"
    if entry.kind == "observed":
        return f"found champion {named(body.get('champion'))} ({body.get('by')})"
    if entry.kind == "validated":
        return f"validated {version}: {body['verdict']}"
    if entry.kind == "aborted":
        return f"aborted entry {body['intent']}: {body['why']}"
    if entry.kind == "registered":
        return f"{'adopted' if body.get('adopted') else 'registered'} {version}"
    if entry.kind == "traffic":
        shadow = " as a shadow" if body.get("mode") == "shadow" else ""
        return f"{named(body['challenger'])} gets {100 * body['share']:.4g} %{shadow} ({body['why']})"
    if entry.kind == "live":
        return f"live test {body['event']}: {named(body.get('challenger'))}"
    return f"{entry.kind} {version}".strip()


def champion_at(desk: Desk, model: str, at: str | None) -> dict[str, Any]:
    """The champion at a time, from the ledger; now, from the registry.

    Raises:
        UsageError: the time cannot be read, or lies in the future.
        NotFoundError: the ledger began later.
    """
    if at is None:
        found = desk.registry.champion(model)
        return {
            "model": model,
            "at": None,
            "champion": found.version if found else None,
            "entry": None,
            "note": "now, from the registry",
        }
    moment = _moment(at)
    entry = _last_before(desk, model, moment)
    if entry is None:
        raise NotFoundError(
            f"The ledger of model {model!r} begins after {at}.",
            state="Nothing was changed.",
            next=f"mlflowctl model history {quoted(model)}",
        )
    note = f"from entry {entry.number} of the ledger, {entry.at}"
    return {
        "model": model,
        "at": at,
        "champion": entry.state["champion"],
        "entry": entry.number,
        "note": note,
    }


def _moment(at: str) -> datetime:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise UsageError(
            f"{at!r} is no time.",
            state="Nothing was changed.",
            next="Write it as 2026-11-24, 2026-11-24T03:00 or 2026-11-24T03:00:00+01:00",
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > datetime.now(UTC):
        raise UsageError(
            f"{at} is in the future.", state="Nothing was changed.", next="Name a time that has passed."
        )
    return moment


def _last_before(desk: Desk, model: str, moment: datetime) -> Entry | None:
    """The last entry not later than a moment, by bisection; clocks of writers differ little."""
    ledger, low, high = desk.ledger(model), 0, desk.head(model).number
    found: Entry | None = None
    while low < high:
        middle = (low + high + 1) // 2
        entry = ledger.read(middle).entry
        assert entry is not None
        if datetime.fromisoformat(entry.at) <= moment:
            low, found = middle, entry
        else:
            high = middle - 1
    return found


def explained(desk: Desk, model: str, version: int | None) -> dict[str, Any]:
    """Why a version was refused and what would pass, from its last evidence.

    Raises:
        IllegalMoveError: it was never validated.
    """
    from mlflowctl.registry.evidence.store import read
    from mlflowctl.registry.evidence.text import explain

    candidates = {
        int(number): one for number, one in desk.head(model).state["candidates"].items() if "sha256" in one
    }
    wanted = (
        version
        if version is not None
        else max(candidates, key=lambda one: candidates[one]["number"], default=None)
    )
    known = candidates.get(wanted) if wanted is not None else None
    if known is None:
        desk.registry.model_tags(model)  # raises if there is no such model
        who = "No version" if version is None else f"Version {version}"
        raise IllegalMoveError(
            f"{who} of model {model!r} {'was' if version is None else 'was not'} validated.",
            state="Nothing was changed.",
            next=f"mlflowctl model validate {quoted(model)}",
        )
    evidence = read(desk.objects.settings, known["evidence"], known["sha256"])
    return {
        "model": model,
        "version": wanted,
        "verdict": str(evidence.verdict),
        "lines": explain(evidence),
        "evidence": known["evidence"],
        "evidence_sha256": known["sha256"],
    }
