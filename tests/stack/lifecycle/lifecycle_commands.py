"""The commands of ``mlflowctl model`` as library calls, each what the command line does with a ``--yes``."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflowctl.registry import break_glass as glass
from mlflowctl.registry import ledger_state, moves, promotion, reconcile, registration, rollback, staging
from mlflowctl.registry.actor import Actor
from mlflowctl.registry.desk import Desk
from mlflowctl.registry.evidence import store
from mlflowctl.registry.evidence.model import Evidence, ModelFacts
from mlflowctl.registry.ledger import now
from mlflowctl.registry.moves import Move
from mlflowctl.registry.policy import Policy
from mlflowctl.registry.port import DIGEST_TAG, EVIDENCE_TAG, VALIDATION_STATUS
from mlflowctl.registry.recording import STATUS, ledger_body
from mlflowctl.registry.validation import subject_of
from mlflowctl.registry.verdict import Verdict

POLICIES = {digest: Policy("any", digest * 64, None, ()) for digest in "ab"}
Plan = promotion.Plan


def desk(context: Any, name: str) -> Desk:
    """A desk at which a person of that name sits."""
    made = Desk(context)
    made.__dict__["actor"] = Actor(name, "os", "test")
    return made


def stage(desk: Desk, model: str, version: int, replace: int | None) -> str:
    moves.settle(desk, model, wait=0)
    move = staging.plan_stage(desk, model, version, replace)
    if move is None:
        return "nothing to do"
    registration.adopt(desk, desk.registry.version(model, version), "first touched by stage")
    staging.execute(desk, move, "stage", wait=0)
    return "done"


def archive(desk: Desk, model: str, version: int) -> str:
    moves.settle(desk, model, wait=0)
    return _execute(desk, staging.plan_archive(desk, model, version))


def retire(desk: Desk, model: str) -> str:
    moves.settle(desk, model, wait=0)
    return _execute(desk, staging.plan_retire(desk, model))


def _execute(desk: Desk, move: Move | None) -> str:
    if move is None:
        return "nothing to do"
    staging.execute(desk, move, move.verb, wait=0)
    return "done"


def stub_gate(desk: Desk, model: str, version: int | None, verdict: Verdict, policy: Policy) -> str:
    """A STUB of the gates: the verdict is given, not found. Evidence and ledger entry are real."""
    subject = subject_of(desk, model, version)
    champion = desk.registry.champion(model)
    subject = registration.adopt(desk, subject, "first touched by validate")
    facts = ModelFacts(artifact_digest=subject.tags[DIGEST_TAG]).as_dict()
    evidence = Evidence(
        id=uuid.uuid4().hex,
        model=model,
        version=subject.version,
        champion=champion.version if champion else None,
        verdict=verdict,
        at=now(),
        actor=desk.actor.as_dict(),
        reason="a stub gate said so",
        policy={"digest": policy.digest},
        holdout=None,
        look=1,
        alpha=0.05,
        gates=(),
        checks=(),
        facts={"challenger": facts, "champion": None},
        environment=dict.fromkeys(("mlflowctl", "mlflow", "python", "machine"), "stub"),
    )
    stored = store.write(desk.objects.settings, evidence, "<p>a stub gate</p>")
    registration.append(desk, model, ledger_state.VALIDATED, "stub", ledger_body(evidence, stored))
    desk.registry.tag(model, subject.version, EVIDENCE_TAG, f"{stored.key} {stored.sha256}")
    desk.registry.tag(model, subject.version, VALIDATION_STATUS, STATUS[verdict])
    return str(verdict)


def saved(plan: Plan) -> Plan:
    """A plan as it comes back from its file."""
    with tempfile.TemporaryDirectory() as folder:
        plan.save(Path(folder) / "plan.json")
        return promotion.load(Path(folder) / "plan.json")


def apply(desk: Desk, plan: Plan, policy: Policy, *, look_first: bool) -> str:
    """``model apply``; without ``look_first`` as if everything had changed between its look and its lease."""
    moves.settle(desk, plan.move.model, wait=0)
    if look_first:
        if promotion.is_champion(desk, plan.move):
            return "nothing to do"
        promotion.refuse_moved(desk, plan, policy)
        override = bool(plan.move.more.get("override"))
        promotion.refuse_stale(plan, promotion.make_plan(desk, plan.move.model, policy, override=override))
    promotion.execute(desk, plan, "apply", wait=0)
    return "done"


def promote(desk: Desk, model: str, policy: Policy, override: bool) -> str:
    moves.settle(desk, model, wait=0)
    promotion.execute(desk, promotion.make_plan(desk, model, policy, override=override), "promote", wait=0)
    return "done"


def roll_back(desk: Desk, model: str, expect: int | None) -> str:
    rollback.settle(desk, model, wait=0)
    move = rollback.plan(desk, model, expect)
    if isinstance(move, rollback.NothingToDo):
        return "nothing to do"
    rollback.check_target(desk, move, load=False, accept_unloadable=False)
    return roll_back_by(desk, move)


def roll_back_by(desk: Desk, move: Move) -> str:
    done = rollback.execute(desk, move, "rollback", wait=0)
    return "nothing to do" if isinstance(done, rollback.NothingToDo) else "done"


def break_glass(desk: Desk, model: str, expect: int | None) -> str:
    move = glass.plan(desk, model, expect)
    if isinstance(move, rollback.NothingToDo):
        return "nothing to do"
    glass.execute(desk, move, "the object store is down")
    return "done"


def freeze(desk: Desk, model: str, frozen: bool) -> str:
    staging.plan_freezing(desk, model, frozen)
    return "done" if staging.freezing(desk, model, frozen, "drill", wait=0) else "nothing to do"


def mend(desk: Desk, model: str, prefer: reconcile.Prefer) -> str:
    if not reconcile.plan(desk, model, prefer):
        return "nothing to do"
    reconcile.execute(desk, model, prefer, "reconcile", wait=0)
    return "done"


Command = Callable[[Desk], str]
