"""What level each operation of MLflow's API takes: one table, by method and route.

Routes are those that the server's router matched, never the text of a path, so that prefixes, doubled slashes
or letter case cannot choose another row. What stands in no row is for administrators only, so a route that a
new MLflow release adds is closed until somebody has thought about it.
"""

from __future__ import annotations

import re

from mlflowctl.login.roles import Level

_PREFIX = re.compile(r"^/?(?:ajax-)?api/\d\.\d/?")

# Searches that carry their query in a body, and what a browser does by itself.
_READING = """
POST /graphql
POST /mlflow/artifacts/presigned-download-url
POST /mlflow/datasets/search
POST /mlflow/experiments/search
POST /mlflow/experiments/search-datasets
POST /mlflow/issues/search
POST /mlflow/logged-models/search
POST /mlflow/prompt-optimization/jobs/search
POST /mlflow/registered-models/get-latest-versions
POST /mlflow/runs/search
POST /mlflow/traces/batchGetInfos
POST /mlflow/traces/calculate-filter-correlation
POST /mlflow/traces/metrics
POST /mlflow/traces/search
POST /mlflow/ui-telemetry
PATCH /mlflow/users/update-password
"""
# Making and logging: MLflow's own grants decide about which experiment or model.
_TRAINING = """
DELETE /mlflow-artifacts/artifacts/<path:artifact_path>
DELETE /mlflow/datasets/<dataset_id>
DELETE /mlflow/datasets/<dataset_id>/records
DELETE /mlflow/datasets/<dataset_id>/tags/<key>
DELETE /mlflow/label-schemas/delete
DELETE /mlflow/logged-models/<model_id>
DELETE /mlflow/logged-models/<model_id>/tags/<tag_key>
DELETE /mlflow/model-versions/delete
DELETE /mlflow/model-versions/delete-tag
DELETE /mlflow/registered-models/delete-tag
DELETE /mlflow/scorers/delete
DELETE /mlflow/traces/<request_id>/tags
DELETE /mlflow/traces/<trace_id>/assessments/<assessment_id>
DELETE /mlflow/traces/<trace_id>/tags
PATCH /mlflow/datasets/<dataset_id>/tags
PATCH /mlflow/issues/<issue_id>
PATCH /mlflow/label-schemas/update
PATCH /mlflow/logged-models/<model_id>
PATCH /mlflow/logged-models/<model_id>/tags
PATCH /mlflow/model-versions/update
PATCH /mlflow/registered-models/update
PATCH /mlflow/traces/<request_id>
PATCH /mlflow/traces/<request_id>/tags
PATCH /mlflow/traces/<trace_id>/assessments/<assessment_id>
PATCH /mlflow/traces/<trace_id>/tags
POST /mlflow-artifacts/mpu/abort/<path:artifact_path>
POST /mlflow-artifacts/mpu/complete/<path:artifact_path>
POST /mlflow-artifacts/mpu/create/<path:artifact_path>
POST /mlflow/artifacts/presigned-upload-url
POST /mlflow/datasets/<dataset_id>/add-experiments
POST /mlflow/datasets/<dataset_id>/records
POST /mlflow/datasets/<dataset_id>/remove-experiments
POST /mlflow/datasets/create
POST /mlflow/experiments/create
POST /mlflow/experiments/delete
POST /mlflow/experiments/delete-experiment-tag
POST /mlflow/experiments/restore
POST /mlflow/experiments/set-experiment-tag
POST /mlflow/experiments/update
POST /mlflow/issues
POST /mlflow/label-schemas/create
POST /mlflow/logged-models
POST /mlflow/logged-models/<model_id>/params
POST /mlflow/model-versions/create
POST /mlflow/model-versions/set-tag
POST /mlflow/registered-models/create
POST /mlflow/registered-models/set-tag
POST /mlflow/review-queues/create
POST /mlflow/review-queues/delete
POST /mlflow/review-queues/get-or-create-user
POST /mlflow/review-queues/items/add
POST /mlflow/review-queues/items/remove
POST /mlflow/review-queues/items/set-status
POST /mlflow/review-queues/update
POST /mlflow/runs/create
POST /mlflow/runs/delete
POST /mlflow/runs/delete-tag
POST /mlflow/runs/log-batch
POST /mlflow/runs/log-inputs
POST /mlflow/runs/log-metric
POST /mlflow/runs/log-model
POST /mlflow/runs/log-parameter
POST /mlflow/runs/outputs
POST /mlflow/runs/restore
POST /mlflow/runs/set-tag
POST /mlflow/runs/update
POST /mlflow/scorers/register
POST /mlflow/traces
POST /mlflow/traces/<trace_id>/assessments
POST /mlflow/traces/delete-traces
POST /mlflow/traces/link-prompts
POST /mlflow/traces/link-to-run
POST /mlflow/upload-artifact
PUT /mlflow-artifacts/artifacts/<path:artifact_path>
"""
# What decides about what serves.
_PROMOTING = """
DELETE /mlflow/registered-models/alias
DELETE /mlflow/registered-models/delete
POST /mlflow/model-versions/transition-stage
POST /mlflow/registered-models/alias
POST /mlflow/registered-models/rename
"""
# Reading these would tell of accounts and secrets, or call out to others in the server's name.
_CLOSED = (
    "/mlflow/gateway-proxy",
    "/mlflow/gateway/secrets/get",
    "/mlflow/gateway/secrets/list",
    "/mlflow/webhooks",
    "/mlflow/users/",
    "/mlflow/roles/",
    "/signup",
)
# About oneself.
_OWN = ("/mlflow/users/current", "/mlflow/users/current/permissions")

TABLE: dict[tuple[str, str], Level] = {
    (line.split()[0], line.split()[1]): level
    for level, lines in (
        (Level.READER, _READING),
        (Level.TRAINER, _TRAINING),
        (Level.PROMOTER, _PROMOTING),
    )
    for line in lines.strip().splitlines()
}


def canonical(rule: str) -> str:
    """A route without the prefix of the API's version: both ``/api`` and ``/ajax-api`` have one row."""
    return "/" + _PREFIX.sub("", rule).lstrip("/")


def required(method: str, rule: str) -> Level:
    """The level that an operation takes.

    Args:
        method: of HTTP; HEAD and OPTIONS are treated like GET.
        rule: the route that the router matched, with its placeholders.
    """
    route = canonical(rule)
    if method in ("GET", "HEAD", "OPTIONS"):
        return _reading(route)
    return TABLE.get((method, route), Level.ADMIN)


def _reading(route: str) -> Level:
    if route in _OWN:
        return Level.NOBODY
    closed = any(route == one.rstrip("/") or route.startswith(one.rstrip("/") + "/") for one in _CLOSED)
    return Level.ADMIN if closed else Level.READER


# Routes that FastAPI serves by itself, by their beginning; the router has no single rule to ask for.
_NATIVE = (
    (("PUT",), "/mlflow-artifacts/artifacts/", Level.TRAINER),
    (("POST",), "/v1/traces", Level.TRAINER),
)


def required_natively(method: str, path: str) -> Level:
    """The level of a request that one of FastAPI's own routes has matched (artifacts, traces, gateway…)."""
    route = canonical(path)
    if method in ("GET", "HEAD", "OPTIONS"):
        return Level.ADMIN if route.startswith(("/gateway/", "/mlflow/assistant")) else Level.READER
    for methods, beginning, level in _NATIVE:
        if method in methods and route.startswith(beginning):
            return level
    return Level.ADMIN
