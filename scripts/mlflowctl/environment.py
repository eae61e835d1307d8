"""The variables that MLflow clients need, in the form that a shell, a dotenv file or a program reads."""

from __future__ import annotations

import json
import shlex

from mlflowctl.errors import UsageError
from mlflowctl.settings import Context
from mlflowctl.storage.settings import S3Settings


def client_variables(context: Context, *, with_s3: bool) -> dict[str, str]:
    """Variables for clients of the context.

    The object store's are left out unless asked for: the next ``aws`` or ``terraform`` in the same
    shell would use them.

    Raises:
        UsageError: the object store was asked for, and the context knows none.
    """
    variables = {"MLFLOW_TRACKING_URI": context.tracking_uri}
    if context.login:
        variables["MLFLOW_TRACKING_USERNAME"] = context.login.username
        variables["MLFLOW_TRACKING_PASSWORD"] = context.login.password
    if not with_s3:
        return variables
    if context.s3 is None or (context.s3.access_key_id is None and context.environment is None):
        raise UsageError(
            f"{context.describe()} has no keys of an object store to print.", state="Nothing was changed."
        )
    if context.s3.access_key_id is None:  # AWS's own credentials stay where the AWS chain has them
        return variables | _buckets(context.s3)
    return variables | {
        "MLFLOW_S3_ENDPOINT_URL": context.s3.endpoint_url or "",
        "AWS_ACCESS_KEY_ID": context.s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": context.s3.secret_access_key or "",
        **_buckets(context.s3),
    }


def _buckets(s3: S3Settings) -> dict[str, str]:
    return {
        "AWS_DEFAULT_REGION": s3.region,
        "MLFLOWCTL_ARTIFACT_BUCKET": s3.artifact_bucket,
        "MLFLOWCTL_REGISTRY_BUCKET": s3.registry_bucket,
    }


def render(variables: dict[str, str], form: str) -> str:
    """The variables as ``shell``, ``dotenv`` or ``json`` text.

    Raises:
        UsageError: another form was asked for.
    """
    if form == "shell":
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    if form == "dotenv":
        return "\n".join(f"{name}={json.dumps(value)}" for name, value in variables.items())
    if form == "json":
        return json.dumps(variables, indent=2)
    raise UsageError(
        f"--format is shell, dotenv or json, not {form!r}.",
        state="Nothing was changed.",
        next="mlflowctl env --help",
    )
