"""The MLflow client library, aimed at one context and nothing else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from mlflowctl.settings import Context

# Everything that would lead the client somewhere else than the context says.
_FOREIGN = ("MLFLOW_", "AWS_", "DATABRICKS_", "AZURE_STORAGE_")

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "DO_NOT_TRACK": "true",
    # A server that is down is reported within seconds; the default waits for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}
LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


@contextlib.contextmanager
def mlflow_client_of(context: Context) -> Iterator[None]:
    """Let MLflow's client library in this process use the context's settings for the block.

    Variables that the user exported neither change the outcome nor are changed; afterwards the
    environment is as before. Import mlflow inside the block.
    """
    saved = dict(os.environ)
    keep = {name: saved[name] for name in LOGIN if name in saved and not context.is_local}
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            del os.environ[name]
    os.environ.update(QUIET | keep | {"MLFLOW_TRACKING_URI": context.tracking_uri} | _object_store(context))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


def _object_store(context: Context) -> dict[str, str]:
    """For stacks whose clients talk to the object store themselves."""
    s3 = context.s3
    if s3 is None or s3.access_key_id is None:
        return {}
    variables = {
        "AWS_ACCESS_KEY_ID": s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.secret_access_key or "",
        "AWS_DEFAULT_REGION": s3.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if s3.endpoint_url:
        variables["MLFLOW_S3_ENDPOINT_URL"] = s3.endpoint_url
    return variables
