"""What MLflow's checks look up before they decide, without what they do not look at.

To learn whether a model is a prompt, MLflow's checks load the model with all its versions; to learn a run's
experiment, the run with its parameters, metrics, tags and inputs. That makes a request that reads one alias
four times as long, and longer with every version. The checks get what they ask for here; everything else is
passed on.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mlflow.server import auth, handlers

# As plain text: building a statement takes longer than PostgreSQL takes to answer it.
_MODEL = (
    "SELECT m.workspace, t.value FROM registered_models m LEFT JOIN registered_model_tags t"
    " ON t.workspace = m.workspace AND t.name = m.name AND t.key = 'mlflow.prompt.is_prompt'"
    " WHERE m.name = %s"
)
_RUN = "SELECT experiment_id FROM runs WHERE run_uuid = %s"
_LOGGED_MODEL = "SELECT experiment_id FROM logged_models WHERE model_id = %s AND lifecycle_stage <> 'deleted'"


class _Store:
    """A store that answers a few questions more quickly and passes the others on."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _one(self, query: str, name: str) -> Any:
        with self._store.engine.connect() as connection:
            return connection.exec_driver_sql(query, (name,)).first()


class RegistryLookups(_Store):
    """Registered models without their versions."""

    def get_registered_model(self, name: str) -> Any:
        """Name, workspace and whether it is a prompt; MLflow's error if there is none."""
        row = self._one(_MODEL, name)
        if row is None:
            return self._store.get_registered_model(name)
        prompt = str(row[1]).lower() == "true"
        return SimpleNamespace(name=name, workspace=row[0], _is_prompt=lambda: prompt)


class TrackingLookups(_Store):
    """Runs and logged models by the experiment that they belong to."""

    def get_run(self, run_id: str) -> Any:
        """The run's experiment; MLflow's error if there is no such run."""
        row = self._one(_RUN, run_id)
        if row is None:
            return self._store.get_run(run_id)
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id, experiment_id=str(row[0])))

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> Any:
        """The logged model's experiment; MLflow's error if there is no such model."""
        row = self._one(_LOGGED_MODEL, model_id)
        if row is None:
            return self._store.get_logged_model(model_id, allow_deleted)
        return SimpleNamespace(model_id=model_id, experiment_id=str(row[0]))


def register() -> None:
    """Let MLflow's checks use them; its handlers keep their own stores."""
    auth._get_model_registry_store = lambda: RegistryLookups(handlers._get_model_registry_store())
    auth._get_tracking_store = lambda: TrackingLookups(handlers._get_tracking_store())
