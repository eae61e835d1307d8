"""The environment in which MLflow's client library works: made of the context alone, and put back afterwards.

MLflow and boto3 read dozens of variables at import and at every call; what the user happens to have
exported must not decide what is tested.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from mlflowctl.settings import CLIENT, Context

# With exported variables as the context, these are part of it: another way to log in, and whom to trust.
_CONNECTION = {
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

# A dead or hanging server is reported within seconds; MLflow's own patience is minutes.
REQUEST_TIMEOUT = 20
CLIENT_BEHAVIOUR = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(REQUEST_TIMEOUT),
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "60",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "AWS_MAX_ATTEMPTS": "2",
}


def variables(context: Context, exported: Mapping[str, str]) -> dict[str, str]:
    """The complete environment of the client library.

    Args:
        context: the platform under test.
        exported: the process's environment; only what says nothing about MLflow or S3 is taken over.
    """
    own_chain = context.s3 is not None and context.s3.access_key_id is None
    kept = {
        name: value
        for name, value in exported.items()
        if not name.startswith(("MLFLOW_", "_MLFLOW_", "AWS_"))
        or (context.name == CLIENT and name in _CONNECTION)
        or (own_chain and name.startswith("AWS_"))
        or name == "AWS_CA_BUNDLE"
    }
    bypass = [kept.get("NO_PROXY") or kept.get("no_proxy") or "", *_LOOPBACK]
    no_proxy = ",".join(filter(None, bypass))
    return {
        **kept,
        **CLIENT_BEHAVIOUR,
        "MLFLOW_TRACKING_URI": context.tracking_uri,
        "MLFLOW_REGISTRY_URI": context.tracking_uri,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        **_login(context),
        **_object_store(context),
    }


def _login(context: Context) -> dict[str, str]:
    if context.login is None:
        return {}
    return {
        "MLFLOW_TRACKING_USERNAME": context.login.username,
        "MLFLOW_TRACKING_PASSWORD": context.login.password,
    }


def _object_store(context: Context) -> dict[str, str]:
    """What a client needs for artifacts that it fetches from the object store itself."""
    s3 = context.s3
    if s3 is None:
        return {"AWS_EC2_METADATA_DISABLED": "true"}
    found = {"AWS_DEFAULT_REGION": s3.region}
    if s3.endpoint_url:
        found |= {"MLFLOW_S3_ENDPOINT_URL": s3.endpoint_url, "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "path"}
    if s3.access_key_id:
        found |= {
            "AWS_ACCESS_KEY_ID": s3.access_key_id,
            "AWS_SECRET_ACCESS_KEY": s3.secret_access_key or "",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    if s3.session_token:
        found["AWS_SESSION_TOKEN"] = s3.session_token
    return found


@contextlib.contextmanager
def client_environment(context: Context) -> Iterator[None]:
    """Run the block in the client library's environment."""
    before = dict(os.environ)
    wanted = variables(context, before)
    try:
        _become(wanted)
        yield
    finally:
        _become(before)


def _become(wanted: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
