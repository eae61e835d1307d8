"""What a registered version stands on stays as it is: its artifacts, its run, its logged model.

A trainer who could write over the files behind the champion would change what serves without moving a stage.
Asked of the registry's own rows, so it holds for every version, whoever registered it and by whatever client.
"""

from __future__ import annotations

import posixpath
from typing import Any

from mlflow.server import handlers
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlRegisteredModel
from mlflow.store.tracking.dbmodels.models import SqlRun
from sqlalchemy import or_, select

from mlflowctl.login.places import PROXIED, ancestors, spellings

DELETED = "Deleted_Internal"  # the stage of versions that MLflow keeps and shows to nobody
MODEL = "models:/"


def at(key: str, root: str, *, recursive: bool = False) -> str | None:
    """The version whose artifacts a write to a key would change: "version 3 of model 'churn'"; None if none.

    Args:
        key: below the root of the artifacts: "1/models/m-…/artifacts/MLmodel".
        root: where the server keeps artifacts: "s3://bucket".
        recursive: the write reaches everything below the key as well (a deletion).
    """
    wanted = [name for folder in ancestors(key) for name in spellings(folder, root)]
    found = [column.in_(wanted) for column in (SqlModelVersion.storage_location, SqlModelVersion.source)]
    if recursive:
        for below in _below(key, root):
            found += [
                SqlModelVersion.storage_location.startswith(below, autoescape=True),
                SqlModelVersion.source.startswith(below, autoescape=True),
            ]
    return _first(or_(*found))


def _below(key: str, root: str) -> list[str]:
    """How the addresses of everything below a key begin."""
    folder = posixpath.normpath(key.strip("/"))
    parts = folder.split("/")
    found = [f"{PROXIED}/{folder}/", f"{root.rstrip('/')}/{folder}/"]
    return found + ([f"runs:/{parts[1]}/"] if len(parts) in (2, 3) else [])


def run(run_id: str) -> str | None:
    """The version that was registered from a run."""
    return _first(SqlModelVersion.run_id == run_id)


def experiment(experiment_id: str) -> str | None:
    """A version that was registered from a run of an experiment."""
    runs = select(SqlRun.run_uuid).where(SqlRun.experiment_id == int(experiment_id))
    return _first(SqlModelVersion.run_id.in_(runs)) if experiment_id.isdigit() else None


def logged_model(model_id: str) -> str | None:
    """The version that was registered from a logged model."""
    return _first(SqlModelVersion.source == f"{MODEL}{model_id}")


def stage(name: str, version: str) -> str | None:
    """The stage of a version; None if there is no such version."""
    if not version.isdigit():
        return None
    query = select(SqlModelVersion.current_stage).where(
        SqlModelVersion.name == name, SqlModelVersion.version == int(version)
    )
    with _store().ManagedSessionMaker() as session:
        found: str | None = session.execute(query).scalar()
        return found


def model_exists(name: str) -> bool:
    """Whether there is a registered model (or prompt) of this name."""
    query = select(SqlRegisteredModel.name).where(SqlRegisteredModel.name == name)
    with _store().ManagedSessionMaker() as session:
        return session.execute(query).first() is not None


def _first(condition: Any) -> str | None:
    query = (
        select(SqlModelVersion.name, SqlModelVersion.version)
        .where(condition, SqlModelVersion.current_stage != DELETED)
        .limit(1)
    )
    with _store().ManagedSessionMaker() as session:
        row = session.execute(query).first()
    return f"version {row[1]} of model {row[0]!r}" if row else None


def _store() -> Any:
    return handlers._get_model_registry_store()
