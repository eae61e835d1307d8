"""A foreign server, described by the variables that every MLflow client knows."""

from __future__ import annotations

from collections.abc import Mapping

from mlflowctl import defaults
from mlflowctl.errors import UsageError
from mlflowctl.settings import CLIENT, CLIENT_VARIABLES, Context, Login
from mlflowctl.storage.settings import S3Settings


def build(env: Mapping[str, str], reason: str) -> Context:
    """The context that exported variables describe.

    Args:
        env: the environment.
        reason: what made this the context, in words.

    Raises:
        UsageError: MLFLOW_TRACKING_URI is not set.
    """
    if not env.get("MLFLOW_TRACKING_URI"):
        raise UsageError(
            f"The context {CLIENT!r} is made of exported variables, and MLFLOW_TRACKING_URI is not set.",
            state="Nothing was changed.",
            next="export MLFLOW_TRACKING_URI=…",
        )
    origins = {setting: variable for variable, setting in CLIENT_VARIABLES.items() if env.get(variable)}
    user = env.get("MLFLOW_TRACKING_USERNAME")
    return Context(
        name=CLIENT,
        chosen_by=reason,
        tracking_uri=env["MLFLOW_TRACKING_URI"].rstrip("/"),
        login=Login(user, env.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None,
        s3=_s3(env),
        origins=origins | {"context": "exported client variables"},
    )


def _s3(env: Mapping[str, str]) -> S3Settings | None:
    """The store that is told; a bucket that is named needs no keys, AWS's chain has them (a task's role)."""
    endpoint = env.get("MLFLOW_S3_ENDPOINT_URL")
    if not endpoint and not env.get("AWS_ACCESS_KEY_ID") and not env.get("MLFLOWCTL_REGISTRY_BUCKET"):
        return None
    return S3Settings(
        endpoint_url=endpoint or None,
        region=env.get("AWS_DEFAULT_REGION", defaults.REGION),
        access_key_id=env.get("AWS_ACCESS_KEY_ID"),
        secret_access_key=env.get("AWS_SECRET_ACCESS_KEY"),
        session_token=env.get("AWS_SESSION_TOKEN"),
        artifact_bucket=env.get("MLFLOWCTL_ARTIFACT_BUCKET", defaults.ARTIFACT_BUCKET),
        registry_bucket=env.get("MLFLOWCTL_REGISTRY_BUCKET", defaults.REGISTRY_BUCKET),
        owned=endpoint is not None,  # buckets in AWS belong to Terraform
    )
