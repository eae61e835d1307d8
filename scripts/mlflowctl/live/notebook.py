"""What a controller keeps beside the ledger: the evidence so far, and what its last look said.

Losing it costs a second reading of the records, and a mismatch that has vanished since. It is overwritten,
and its old versions expire like those of leases; what a decision rested on is kept for ever under
``evidence/``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlflowctl.live import hold
from mlflowctl.registry.evidence.plain import without_non_finite
from mlflowctl.registry.ledger import now
from mlflowctl.storage.desired import EVIDENCE_PREFIX

if TYPE_CHECKING:
    from mlflowctl.live.bake import Bake
    from mlflowctl.live.evidence import Evidence
    from mlflowctl.live.judge import LiveVerdict
    from mlflowctl.registry.objects import Objects
    from mlflowctl.registry.verdict import GateResult

SCHEMA = "mlflowctl.live.notebook/1"
MOST_LOOKS = 40
EVIDENCE_SCHEMA = "mlflowctl.live.judged/1"


@dataclass
class Notebook:
    """The notebook of one test.

    Attributes:
        test: number of the ledger's entry that started it.
        evidence: of the test.
        bake: of the time after the switch.
        told: what the last look said, for ``live status``.
        looks: (time, verdict) of looks since evidence was last kept, thinned out.
        etag: of the object as it was read or written; "" if there is none.
    """

    test: int
    evidence: Evidence | None = None
    bake: Bake | None = None
    told: dict[str, Any] = field(default_factory=dict)
    looks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    etag: str = ""

    def remember(self, at: str, verdict: dict[str, Any] | None) -> None:
        """Remember a look; of many, every second one is forgotten, so they spread over the whole time."""
        if verdict:
            self.looks.append((at, verdict))
        if len(self.looks) > MOST_LOOKS:
            self.looks = self.looks[1::2]


def key(model: str) -> str:
    """Where it is."""
    return f"{hold.folder(model)}notebook.json.gz"


def raw(objects: Objects, model: str) -> tuple[dict[str, Any], str]:
    """The notebook as plain JSON, and its ETag; ({}, "") without one that this release can read."""
    stored = objects.get(key(model))
    if stored is None:
        return {}, ""
    try:
        found = json.loads(gzip.decompress(stored.body))
    except (OSError, EOFError, ValueError):
        found = {}
    known = isinstance(found, dict) and found.get("schema") == SCHEMA
    return (found if known else {}), stored.etag


def load(objects: Objects, model: str, test: int) -> Notebook:
    """The notebook of a test; an empty one if there is none, or one of another test."""
    from mlflowctl.live.bake import Bake
    from mlflowctl.live.evidence import Evidence

    found, etag = raw(objects, model)
    if found.get("test") != test:
        return Notebook(test, etag=etag)
    try:
        evidence = Evidence.load(found["evidence"]) if found["evidence"] else None
        bake = Bake.load(found["bake"]) if found["bake"] else None
    except (ValueError, KeyError, TypeError):
        return Notebook(test, etag=etag)
    looks = [(at, verdict) for at, verdict in found.get("looks", [])]
    return Notebook(test, evidence, bake, found["told"], looks, etag)


def save(objects: Objects, model: str, notebook: Notebook) -> bool:
    """Write it; False if somebody else has written since."""
    body = {
        "schema": SCHEMA,
        "test": notebook.test,
        "at": now(),
        "evidence": notebook.evidence.as_dict() if notebook.evidence else None,
        "bake": notebook.bake.as_dict() if notebook.bake else None,
        "told": notebook.told,
        "looks": notebook.looks,
    }
    packed = gzip.compress(json.dumps(body, sort_keys=True).encode(), mtime=0)
    place, before = key(model), notebook.etag
    etag = objects.replace(place, packed, before) if before else objects.create(place, packed)
    notebook.etag = etag or ""
    return etag is not None


def told_of(verdict: LiveVerdict | None) -> dict[str, Any] | None:
    """A verdict as plain JSON; what is infinite becomes null."""
    if verdict is None:
        return None
    found = {
        "verdict": str(verdict.verdict),
        "reason": verdict.reason,
        "abort": list(verdict.abort),
        "metrics": told_results(verdict.results),
        "mismatch": {**verdict.mismatch.__dict__, "reason": verdict.mismatch.reason},
    }
    plain: dict[str, Any] = without_non_finite(found)[0]
    return plain


def told_results(results: Sequence[GateResult]) -> list[dict[str, Any]]:
    """Results of metrics as plain JSON; what is infinite becomes null."""
    plain: list[dict[str, Any]] = without_non_finite([one.as_dict() for one in results])[0]
    return plain


def keep(
    objects: Objects, model: str, version: int, event: str, notebook: Notebook, facts: dict[str, Any]
) -> tuple[str, str]:
    """Keep for ever what a decision rests on.

    Args:
        objects: the registry bucket.
        model: name of the registered model.
        version: of the challenger.
        event: of the ledger entry that will name it.
        notebook: of the test.
        facts: what else belongs to it: verdict, policy.

    Returns:
        Its key and its SHA-256 (hex).
    """
    at = now()
    body = {
        "schema": EVIDENCE_SCHEMA,
        "model": model,
        "version": version,
        "event": event,
        "test": notebook.test,
        "at": at,
        "evidence": notebook.evidence.as_dict() if notebook.evidence else None,
        "bake": notebook.bake.as_dict() if notebook.bake else None,
        "looks": notebook.looks,
        **facts,
    }
    content = json.dumps(body, sort_keys=True, indent=1).encode()
    stamp = at[:19].replace("-", "").replace(":", "")
    name = f"{stamp}Z-{event}-{uuid.uuid4().hex[:8]}.json"
    place = f"{EVIDENCE_PREFIX}{quote(model, safe='')}/{version}/live/{name}"
    objects.create(place, content)
    return place, hashlib.sha256(content).hexdigest()
