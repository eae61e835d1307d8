"""What a level may not do although the route is open to it: decided by what the request is about.

Each rule reads the request with MLflow's own parser, so that it sees what the handler will see.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flask import Request
from mlflow.protos import model_registry_pb2 as registry
from mlflow.protos import service_pb2 as tracking
from mlflow.server import handlers
from mlflow.utils.uri import validate_path_is_safe

from mlflowctl.login import frozen, places, tags
from mlflowctl.login.operations import canonical
from mlflowctl.login.refusals import Refusal
from mlflowctl.login.roles import Level

ROOT_VARIABLE = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
SERVING = ("Staging", "Production")
Rule = Callable[[Request, Level], "Refusal | None"]


def check(request: Request, level: Level) -> Refusal | None:
    """The refusal that the request's content earns, if any. Administrators never come here."""
    assert request.url_rule is not None
    rule = RULES.get((request.method, canonical(request.url_rule.rule)))
    return rule(request, level) if rule else None


def _message(message: Any, request: Request) -> Any:
    return handlers._get_request_message(message, request)


def _promoter(what: str, level: Level) -> Refusal | None:
    return Refusal(Level.PROMOTER, what) if level < Level.PROMOTER else None


def _frozen(what: str, standing: str | None) -> Refusal | None:
    return Refusal(Level.ADMIN, f"{what} {standing}") if standing else None


def root() -> str:
    """Where the server keeps artifacts."""
    return os.environ[ROOT_VARIABLE]


def _deciding_tags(found: Any, level: Level) -> Refusal | None:
    named = next((one.key for one in found if tags.decides(one.key, one.value)), None)
    return _promoter(f"setting tag {named}", level) if named else None


def create_experiment(request: Request, level: Level) -> Refusal | None:  # noqa: ARG001
    """An own artifact location would let the server's credentials be used anywhere they reach."""
    location = _message(tracking.CreateExperiment(), request).artifact_location
    return Refusal(Level.ADMIN, "choosing an experiment's artifact location") if location else None


def create_model(request: Request, level: Level) -> Refusal | None:
    return _deciding_tags(_message(registry.CreateRegisteredModel(), request).tags, level)


def create_version(request: Request, level: Level) -> Refusal | None:
    message = _message(registry.CreateModelVersion(), request)
    source = message.source
    if not source.startswith(("models:/", "runs:/")) and places.key_of(source, root()) is None:
        # Whoever may read the version would read it with the server's credentials.
        return Refusal(Level.ADMIN, "registering artifacts from outside of the artifact bucket")
    return _deciding_tags(message.tags, level)


def set_model_tag(request: Request, level: Level) -> Refusal | None:
    message = _message(registry.SetRegisteredModelTag(), request)
    if tags.redefines(message.key):
        return Refusal(Level.ADMIN, f"setting tag {message.key}")
    return _deciding_tags([message], level)


def delete_model_tag(request: Request, level: Level) -> Refusal | None:
    key = _message(registry.DeleteRegisteredModelTag(), request).key
    if tags.redefines(key):
        return Refusal(Level.ADMIN, f"deleting tag {key}")
    return _promoter(f"deleting tag {key}", level) if tags.decides(key, None) else None


def set_version_tag(request: Request, level: Level) -> Refusal | None:
    message = _message(registry.SetModelVersionTag(), request)
    return _deciding_tags([message], level) or _serving(message, level, "tagging")


def delete_version_tag(request: Request, level: Level) -> Refusal | None:
    message = _message(registry.DeleteModelVersionTag(), request)
    if tags.decides(message.key, None):
        return _promoter(f"deleting tag {message.key}", level)
    return _serving(message, level, "changing the tags of")


def update_version(request: Request, level: Level) -> Refusal | None:
    return _serving(_message(registry.UpdateModelVersion(), request), level, "changing")


def _serving(message: Any, level: Level, what: str) -> Refusal | None:
    if level >= Level.PROMOTER or frozen.stage(message.name, message.version) not in SERVING:
        return None
    return _promoter(f"{what} version {message.version} of model {message.name!r}, which serves,", level)


def delete_version(request: Request, level: Level) -> Refusal | None:
    """A version that was ever staged is kept for audit and rollback; the guard keeps the champion."""
    message = _message(registry.DeleteModelVersion(), request)
    if level >= Level.PROMOTER or frozen.stage(message.name, message.version) in (None, "None"):
        return None
    return _promoter(
        f"deleting version {message.version} of model {message.name!r}, which was staged,", level
    )


def delete_run(request: Request, level: Level) -> Refusal | None:  # noqa: ARG001
    return _frozen("deleting the run behind", frozen.run(_message(tracking.DeleteRun(), request).run_id))


def delete_experiment(request: Request, level: Level) -> Refusal | None:  # noqa: ARG001
    named = _message(tracking.DeleteExperiment(), request).experiment_id
    return _frozen("deleting the experiment behind", frozen.experiment(named))


def delete_logged_model(request: Request, level: Level) -> Refusal | None:  # noqa: ARG001
    named = str((request.view_args or {})["model_id"])
    return _frozen("deleting the logged model behind", frozen.logged_model(named))


def write_artifact(request: Request, level: Level) -> Refusal | None:  # noqa: ARG001
    """The artifact proxy: parts of an upload, and deletions, which reach everything below."""
    key = str((request.view_args or {})["artifact_path"])
    return artifact(key, recursive=request.method == "DELETE")


def artifact(key: str, *, recursive: bool = False) -> Refusal | None:
    """The refusal of a write below the artifact root; the key is read as MLflow's handlers read it."""
    safe = validate_path_is_safe(key)
    return _frozen("changing the artifacts of", frozen.at(safe, root(), recursive=recursive))


def upload_run_artifact(request: Request, level: Level) -> Refusal | None:  # noqa: ARG001
    """MLflow's UI uploads into a run this way, with the server's credentials."""
    run_id = request.args.get("run_uuid") or request.args.get("run_id") or ""
    return _below(_run_location(run_id), request.args.get("path") or "") if run_id else None


def presign_upload(request: Request, level: Level) -> Refusal | None:  # noqa: ARG001
    message = _message(tracking.CreatePresignedUploadUrl(), request)
    model_id = getattr(message, "model_id", "")
    location = _model_location(model_id) if model_id else _run_location(message.run_id)
    return _below(location, message.path)


def _below(location: str, path: str) -> Refusal | None:
    key = places.key_of(f"{location.rstrip('/')}/{validate_path_is_safe(path)}", root())
    if key is None:
        return Refusal(Level.ADMIN, "writing outside of the artifact bucket")
    return artifact(key)


def _run_location(run_id: str) -> str:
    return str(handlers._get_tracking_store().get_run(run_id).info.artifact_uri)


def _model_location(model_id: str) -> str:
    return str(handlers._get_tracking_store().get_logged_model(model_id).artifact_location)


RULES: dict[tuple[str, str], Rule] = {
    ("POST", "/mlflow/experiments/create"): create_experiment,
    ("POST", "/mlflow/experiments/delete"): delete_experiment,
    ("POST", "/mlflow/runs/delete"): delete_run,
    ("DELETE", "/mlflow/logged-models/<model_id>"): delete_logged_model,
    ("POST", "/mlflow/registered-models/create"): create_model,
    ("POST", "/mlflow/registered-models/set-tag"): set_model_tag,
    ("DELETE", "/mlflow/registered-models/delete-tag"): delete_model_tag,
    ("POST", "/mlflow/model-versions/create"): create_version,
    ("PATCH", "/mlflow/model-versions/update"): update_version,
    ("POST", "/mlflow/model-versions/set-tag"): set_version_tag,
    ("DELETE", "/mlflow/model-versions/delete-tag"): delete_version_tag,
    ("DELETE", "/mlflow/model-versions/delete"): delete_version,
    ("DELETE", "/mlflow-artifacts/artifacts/<path:artifact_path>"): write_artifact,
    ("POST", "/mlflow-artifacts/mpu/create/<path:artifact_path>"): write_artifact,
    ("POST", "/mlflow-artifacts/mpu/complete/<path:artifact_path>"): write_artifact,
    ("POST", "/mlflow-artifacts/mpu/abort/<path:artifact_path>"): write_artifact,
    ("POST", "/mlflow/upload-artifact"): upload_run_artifact,
    ("POST", "/mlflow/artifacts/presigned-upload-url"): presign_upload,
}
