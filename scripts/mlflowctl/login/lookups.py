"""What MLflow's checks look up before they decide, without what they do not look at.

To learn whether a model is a prompt, MLflow's checks load the model with all its versions; to learn a run's
experiment, the run with its parameters, metrics, tags and inputs. That makes a request that reads one alias
four times as long, and longer with every version. The checks get what they ask for here; everything else is
passed on.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mlflow.entities.lifecycle_stage import LifecycleStage
from mlflow.prompt.constants import IS_PROMPT_TAG_KEY
from mlflow.server import auth, handlers
from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModel, SqlRegisteredModelTag
from mlflow.store.tracking.dbmodels.models import SqlLoggedModel, SqlRun
from sqlalchemy import and_, select


class _Store:
    """A store that answers a few questions more quickly and passes the others on."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _one(self, query: Any) -> Any:
        with self._store.ManagedSessionMaker() as session:
            return session.execute(query).first()


class RegistryLookups(_Store):
    """Registered models without their versions."""

    def get_registered_model(self, name: str) -> Any:
        """Name, workspace and whether it is a prompt; MLflow's error if there is none."""
        tag = and_(
            SqlRegisteredModelTag.workspace == SqlRegisteredModel.workspace,
            SqlRegisteredModelTag.name == SqlRegisteredModel.name,
            SqlRegisteredModelTag.key == IS_PROMPT_TAG_KEY,
        )
        query = (
            select(SqlRegisteredModel.workspace, SqlRegisteredModelTag.value)
            .outerjoin(SqlRegisteredModelTag, tag)
            .where(SqlRegisteredModel.name == name)
        )
        row = self._one(query)
        if row is None:
            return self._store.get_registered_model(name)
        prompt = str(row[1]).lower() == "true"
        return SimpleNamespace(name=name, workspace=row[0], _is_prompt=lambda: prompt)


class TrackingLookups(_Store):
    """Runs and logged models by the experiment that they belong to."""

    def get_run(self, run_id: str) -> Any:
        """The run's experiment; MLflow's error if there is no such run."""
        row = self._one(select(SqlRun.experiment_id).where(SqlRun.run_uuid == run_id))
        if row is None:
            return self._store.get_run(run_id)
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id, experiment_id=str(row[0])))

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> Any:
        """The logged model's experiment; MLflow's error if there is no such model."""
        query = select(SqlLoggedModel.experiment_id).where(
            SqlLoggedModel.model_id == model_id, SqlLoggedModel.lifecycle_stage != LifecycleStage.DELETED
        )
        row = self._one(query)
        if row is None:
            return self._store.get_logged_model(model_id, allow_deleted)
        return SimpleNamespace(model_id=model_id, experiment_id=str(row[0]))


def register() -> None:
    """Let MLflow's checks use them; its handlers keep their own stores."""
    auth._get_model_registry_store = lambda: RegistryLookups(handlers._get_model_registry_store())
    auth._get_tracking_store = lambda: TrackingLookups(handlers._get_tracking_store())
