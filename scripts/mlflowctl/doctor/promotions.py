"""The check of what promotions keep: no move left unfinished, no drift, no protected champion vanished."""

from __future__ import annotations

from mlflowctl.doctor.check import Check, Finding, Skip
from mlflowctl.errors import NotFoundError, UnavailableError
from mlflowctl.plan import Action
from mlflowctl.settings import Context


def ledgers(context: Context) -> str:
    """Registry and ledger agree for every model that has one; the chains themselves are audit's matter."""
    from mlflowctl.registry import discrepancies, ledger
    from mlflowctl.registry.desk import Desk

    if context.s3 is None:
        raise Skip("the context names no object store")
    desk = Desk(context)
    try:
        models = ledger.models(desk.objects)
    except UnavailableError as exc:
        if "bucket does not exist" in exc.what:
            raise Skip("the registry bucket does not exist") from None
        raise
    found: list[str] = []
    worst = ""
    for model in models:
        try:
            steps = [one for one in discrepancies.plan(desk, model, history=False) if one.kind != "witness"]
        except NotFoundError:
            continue  # deleted with all its versions, or renamed; its ledger stays
        if steps:
            found.append(f"{model}: {'; '.join(f'{one.target}, {one.detail}' for one in steps)}")
        if any(one.action is not Action.ATTENTION for one in steps) or not worst:
            worst = f"mlflowctl model reconcile {ledger.quoted(model)}" if steps else worst
    if found:
        raise Finding(" · ".join(found), worst)
    return f"{len(models)} ledgers agree with the registry"


LEDGERS = Check("ledgers", "promotion ledgers", ledgers, ("object-store", "server"))
