"""What a model's ledger amounts to: a pure fold over its entries.

Every entry carries the state after it, so the head alone tells everything that a promotion must know,
however long the ledger is. The audit folds again from the first entry and compares.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

State = dict[str, Any]

# Raise it with every change to what an entry does to the state: entries of an earlier release keep theirs,
# and the audit does not hold them against the present rules.
FOLD = 2

# A rollback never goes further back than this many champions; the ledger itself keeps all.
REIGNS = 50
# Questions remembered per holdout, so that asking the very same one again costs nothing.
QUESTIONS = 200
# Validations remembered in the state; of older candidates the ledger itself knows.
CANDIDATES = 50

# Kinds of entries.
REGISTERED, VALIDATED, APPROVED = "registered", "validated", "approved"
INTENT, DONE, ABORTED = "intent", "done", "aborted"
FROZEN, UNFROZEN = "frozen", "unfrozen"
OBSERVED = "observed"  # somebody else changed the registry; recorded afterwards
LEASE_BROKEN = "lease-broken"
TRAFFIC = "traffic"  # the challenger's share of the live requests from here on; its number names the step
LIVE = "live"  # what the controller of a live test saw or did
KINDS = (
    REGISTERED, VALIDATED, APPROVED, INTENT, DONE, ABORTED, FROZEN, UNFROZEN, OBSERVED, LEASE_BROKEN,
    TRAFFIC, LIVE,
)  # fmt: skip


def empty() -> State:
    """Before the first entry."""
    return {
        "fold": FOLD,
        "champion": None,
        "challenger": None,
        "reigns": [],
        "failed": [],
        "open": None,
        "frozen": None,
        "retired": False,
        "looks": {},
        "candidates": {},
        "rolled_back": None,
        "keep": 5,
        "traffic": None,
        "live": None,
    }


def fold(state: State, kind: str, number: int, at: str, actor: dict[str, str], body: State) -> State:
    """The state after one more entry; neither argument is changed.

    Args:
        state: before it.
        kind: one of ``KINDS``.
        number: of the entry.
        at: UTC, ISO 8601.
        actor: who.
        body: what; its fields depend on the kind, see docs/promotion.md.
    """
    after = {**empty(), **deepcopy(state), "fold": FOLD}
    if kind == INTENT:
        after["open"] = {"number": number, "at": at, "actor": actor, **body}
    elif kind == ABORTED:
        after["open"] = None
    elif kind == DONE:
        after["open"] = None
        _moved(after, number, at, actor, body)
    elif kind == OBSERVED:
        _observed(after, number, at, actor, body)
    elif kind == FROZEN:
        after["frozen"] = {"at": at, "actor": actor, "reason": body.get("reason", "")}
    elif kind == UNFROZEN:
        after["frozen"] = None
    elif kind == VALIDATED:
        _validated(after, number, actor, body)
    elif kind == APPROVED:
        _approved(after, at, actor, body)
    elif kind in (TRAFFIC, LIVE):
        after[kind] = {"number": number, "at": at, **body}
    # A share was decided on for these two versions; for others nobody has decided yet.
    if (after["champion"], after["challenger"]) != (state.get("champion"), state.get("challenger")):
        after["traffic"] = None
    return after


def _moved(after: State, number: int, at: str, actor: dict[str, str], body: State) -> None:
    version, move = body["version"], body["move"]
    if move in ("promote", "rollback"):
        if move == "rollback":
            _fail(after, body["champion"])
            after["rolled_back"] = {
                "from": body["champion"], "to": version, "number": number, "at": at, "actor": actor,
            }  # fmt: skip
        else:
            after["rolled_back"] = None
        _reign(after, version, number, at, body.get("digest"))
        if after["challenger"] == version:
            after["challenger"] = None
        if "keep" in body:
            after["keep"] = body["keep"]
    elif move == "retire":
        after["champion"], after["retired"] = None, True
    elif move == "stage":
        after["challenger"] = version
        if body.get("restart"):
            _void(after, version)
            after["failed"] = [one for one in after["failed"] if one != version]
        after["candidates"].setdefault(str(version), {}).update(proposer=actor)
        _trim(after["candidates"], CANDIDATES)
    elif move == "archive" and after["challenger"] == version:
        after["challenger"] = None


def _observed(after: State, number: int, at: str, actor: dict[str, str], body: State) -> None:
    """The registry as it was found. A rollback by break-glass counts as one."""
    champion = body.get("champion")
    after["challenger"] = body.get("challenger")
    if body.get("failed") is not None:
        _fail(after, body["failed"])
        after["rolled_back"] = {
            "from": body["failed"], "to": champion, "number": number, "at": at, "actor": actor,
        }  # fmt: skip
    if champion == after["champion"]:
        return
    if champion is None:
        after["champion"], after["retired"] = None, True
        return
    if body.get("failed") is None:
        after["rolled_back"] = None
    _reign(after, champion, number, at)


def _reign(after: State, version: int, number: int, at: str, digest: str | None = None) -> None:
    """A version becomes champion; its earlier reign, if there was one, is over for good."""
    known = next((one.get("digest") for one in after["reigns"] if one["version"] == version), None)
    reigns = [one for one in after["reigns"] if one["version"] != version]
    after["reigns"] = [
        *reigns,
        {"version": version, "number": number, "since": at, "digest": digest or known},
    ][-REIGNS:]
    after["failed"] = [one for one in after["failed"] if one != version]
    after["champion"], after["retired"] = version, False


def _fail(after: State, version: int | None) -> None:
    if version is None:
        return
    after["reigns"] = [one for one in after["reigns"] if one["version"] != version]
    _void(after, version)
    if version not in after["failed"]:
        after["failed"].append(version)


def _void(after: State, version: int) -> None:
    """What a version once passed no longer counts: it failed in production, or it starts anew."""
    candidate = after["candidates"].get(str(version))
    if candidate:
        candidate["void"] = True


def _trim(known: State, most: int) -> None:
    while len(known) > most:
        del known[next(iter(known))]


def _validated(after: State, number: int, actor: dict[str, str], body: State) -> None:
    candidates = after["candidates"]
    known = candidates.pop(str(body["version"]), {})
    candidates[str(body["version"])] = {
        "proposer": known.get("proposer"),
        "number": number,
        "verdict": body["verdict"],
        "champion": body["champion"],
        "evidence": body["evidence"],
        "sha256": body["sha256"],
        "policy": body["policy"],
        "digest": body.get("digest"),
        "validator": actor,
        "approvals": [],
    }
    _trim(candidates, CANDIDATES)
    if body.get("holdout"):
        seen = after["looks"].setdefault(body["holdout"], {"count": 0, "questions": {}})
        seen["count"] = max(seen["count"], body["look"])
        seen["questions"][body["question"]] = body["look"]
        _trim(seen["questions"], QUESTIONS)


def _approved(after: State, at: str, actor: dict[str, str], body: State) -> None:
    candidate = after["candidates"].get(str(body["version"]))
    if candidate and not candidate.get("void") and candidate.get("sha256") == body["sha256"]:
        others = [one for one in candidate["approvals"] if one["name"] != actor["name"]]
        candidate["approvals"] = [*others, {"name": actor["name"], "kind": actor["kind"], "at": at}]


def next_look(state: State, holdout: str, question: str) -> int:
    """The number of this look at a holdout: the same question again is the same look."""
    seen = state["looks"].get(holdout, {"count": 0, "questions": {}})
    return int(seen["questions"].get(question, seen["count"] + 1))


def last_good(state: State, champion: int) -> int | None:
    """The champion before ``champion`` that was never rolled back from; None if there is none."""
    return next(iter(good(state, champion)), None)


def good(state: State, champion: int) -> list[int]:
    """All champions before ``champion`` that were never rolled back from, the last one first."""
    return [int(one["version"]) for one in reversed(state["reigns"]) if one["version"] != champion]
