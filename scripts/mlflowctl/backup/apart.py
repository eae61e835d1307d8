"""After a restore: the models whose ledger and registry are of different times."""

from __future__ import annotations

from mlflowctl.errors import MlflowctlError
from mlflowctl.settings import Context


def models_apart(context: Context) -> dict[str, int]:
    """Model → how many things differ between its ledger and the registry; reads only.

    Nothing is wrong with them: the database is of another moment than the ledger. ``model reconcile``
    brings them together.

    Raises:
        MlflowctlError: the server or the store does not answer.
    """
    from mlflowctl.registry import discrepancies
    from mlflowctl.registry.desk import Desk
    from mlflowctl.registry.ledger import models

    desk, found = Desk(context), {}
    there = set(desk.registry.models())
    for model in models(desk.objects):
        if model in there and (count := len(discrepancies.plan(desk, model))):
            found[model] = count
    return found


def apart_or_unknown(context: Context) -> tuple[dict[str, int], str]:
    """The same, and why it could not be told; "" if it could."""
    try:
        return models_apart(context), ""
    except MlflowctlError as exc:
        return {}, f"registry and ledger were not compared: {exc.what}"
