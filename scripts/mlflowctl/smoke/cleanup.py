"""Removing all that a smoke test made, proving that it is gone, and saying what is not.

A client of MLflow can only mark experiments, runs and logged models as deleted. Where the context gives
access to the database, their rows go for good by MLflow's own store (what ``mlflow gc`` calls); where it
gives access to the object store, all versions of the artifacts go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlflowctl.settings import Context
from mlflowctl.smoke import artifact_removal
from mlflowctl.smoke.meaning import ProofError, is_missing

RETIRE = "mlflowctl.retire"  # the tag by which the guard lets a champion go


@dataclass
class Removal:
    """What is removed, and what became of it.

    Attributes:
        token: name of the registered model and of the experiment.
        experiment_id: of the experiment, "" if there is none.
        run_ids: runs found in it.
        model_ids: logged models found in it.
        location: artifact root of the experiment.
        remains: what stays, in words.
    """

    token: str
    experiment_id: str = ""
    run_ids: list[str] = field(default_factory=list)
    model_ids: list[str] = field(default_factory=list)
    location: str = ""
    remains: list[str] = field(default_factory=list)

    @property
    def folders(self) -> list[str]:
        """The artifact folders, under the experiment's root; their names are unique in the world."""
        return [*self.run_ids, *(f"models/{model_id}" for model_id in self.model_ids)]


def remove(client: Any, context: Context, token: str, *, artifacts: bool = True) -> Removal:
    """Remove the registered model, experiment, runs, logged models and artifacts named by ``token``.

    May run twice, also at once: what is gone already is not an error.

    Args:
        client: MLflow's client.
        context: the platform.
        token: the name.
        artifacts: False if none can exist, so that a store that cannot be reached holds nothing up.

    Raises:
        ProofError: something is still there afterwards.
        Exception: whatever MLflow's client raises.
    """
    _remove_model(client, token)
    found = find(client, token)
    if found.experiment_id:
        if artifacts:
            found.remains += artifact_removal.remove(context, found.location, found.folders)
        _mark_deleted(client, found)
        if context.database is not None:
            _purge(context, found)
        else:
            found.remains.append(
                f"rows marked as deleted (experiment {found.experiment_id}, {len(found.run_ids)} run, "
                f"{len(found.model_ids)} logged model): only `mlflow gc` on the server's side removes them"
            )
    prove(client, context, found)
    return found


def find(client: Any, token: str) -> Removal:
    """What stands under this name in the tracking half, deleted or not."""
    from mlflow.entities import ViewType

    experiments = client.search_experiments(view_type=ViewType.ALL, filter_string=f"name = '{token}'")
    if not experiments:
        return Removal(token)
    experiment = experiments[0]
    runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
    models: list[Any] = []
    if experiment.lifecycle_stage == "active":
        models = client.search_logged_models([experiment.experiment_id])
    return Removal(
        token,
        experiment.experiment_id,
        [run.info.run_id for run in runs],
        [model.model_id for model in models],
        experiment.artifact_location,
    )


def _remove_model(client: Any, token: str) -> None:
    try:
        client.set_registered_model_tag(token, RETIRE, "true")
        client.delete_registered_model(token)
    except Exception as exc:
        if not is_missing(exc):
            raise


def _mark_deleted(client: Any, found: Removal) -> None:
    acts = [(client.delete_logged_model, model_id) for model_id in found.model_ids]
    acts += [(client.delete_run, run_id) for run_id in found.run_ids]
    acts += [(client.delete_experiment, found.experiment_id)]
    for act, name in acts:
        try:
            act(name)
        except Exception as exc:
            if not is_missing(exc) and "deleted" not in str(exc):
                raise


def _purge(context: Context, found: Removal) -> None:
    """Delete the rows themselves, as ``mlflow gc`` does."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    from mlflowctl.database import schema

    assert context.database is not None
    url = schema.app_url(context.database).render_as_string(hide_password=False)
    store = SqlAlchemyStore(url, "mlflow-artifacts:/")
    acts = [(store._hard_delete_logged_model, model_id) for model_id in found.model_ids]
    acts += [(store._hard_delete_run, run_id) for run_id in found.run_ids]
    acts += [(store._hard_delete_experiment, found.experiment_id)]
    try:
        for act, name in acts:
            try:
                act(name)
            except Exception as exc:
                if not is_missing(exc):
                    raise
    finally:
        store.engine.dispose()


def prove(client: Any, context: Context, found: Removal) -> None:
    """Read everything back.

    Raises:
        ProofError: something is still there.
    """
    still = []
    try:
        client.get_registered_model(found.token)
        still.append(f"registered model {found.token}")
    except Exception as exc:
        if not is_missing(exc):
            raise
    left = find(client, found.token)
    if left.experiment_id and context.database is not None:
        still.append(f"experiment {left.experiment_id}")
    elif left.experiment_id and client.get_experiment(left.experiment_id).lifecycle_stage != "deleted":
        still.append(f"active experiment {left.experiment_id}")
    if still:
        raise ProofError(
            f"Still there after its removal: {', '.join(still)}.",
            state="The registry says it removed it.",
            next="mlflowctl doctor",
        )
