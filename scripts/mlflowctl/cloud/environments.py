"""An AWS environment as a context: what it published, and the credentials of the AWS chain.

Works on any machine with the Python package and credentials; no checkout and no Terraform are needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlflowctl import defaults
from mlflowctl.cloud import aws, published
from mlflowctl.cloud.published import Published
from mlflowctl.errors import AccessError, UsageError
from mlflowctl.settings import Context, Login
from mlflowctl.storage.settings import S3Settings

_AWS_KEY = re.compile(r"^(AKIA|ASIA)[A-Z0-9]{12,}$")
# What an AWS context takes from what it published; exported otherwise, they mean another platform.
_DECIDED = {
    "MLFLOW_TRACKING_URI": "tracking_uri",
    "MLFLOWCTL_ARTIFACT_BUCKET": "artifact_bucket",
    "MLFLOWCTL_REGISTRY_BUCKET": "registry_bucket",
}


def context(name: str, env: Mapping[str, str], reason: str = "") -> Context | None:
    """The context of an applied environment; None if there is none of that name.

    Args:
        name: of the environment.
        env: the process's environment.
        reason: what made this the context, in words; default: ``--context NAME``.

    Raises:
        UsageError: an exported variable contradicts the environment.
        AccessError: no credentials, or they lack a right.
    """
    reason = reason or f"--context {name}"
    refuse_foreign_keys(name, env)
    found = published.find(name, env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None)
    if found is None:
        return None
    _refuse_contradictions(found, env, reason)
    login, login_from = _login(found, env)
    return Context(
        name=name,
        chosen_by=reason,
        tracking_uri=found.tracking_uri,
        login=login,
        s3=S3Settings(
            region=found.region,
            artifact_bucket=found.artifact_bucket,
            registry_bucket=found.registry_bucket,
            owned=False,  # Terraform owns them
        ),
        environment=found,
        origins=_origins(found, reason, login_from),
    )


def refuse_foreign_keys(name: str, env: Mapping[str, str]) -> None:
    """Keys that a local stack exported open nothing in AWS, and hide those that would.

    Raises:
        UsageError: such keys, or the address of another object store, are exported.
    """
    if env.get("MLFLOW_S3_ENDPOINT_URL"):
        raise UsageError(
            f"MLFLOW_S3_ENDPOINT_URL is exported, but the environment {name} is in AWS.",
            state="Nothing was changed.",
            next="unset MLFLOW_S3_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY",
        )
    key = env.get("AWS_ACCESS_KEY_ID", "")
    if key and not _AWS_KEY.match(key) and not env.get("AWS_ENDPOINT_URL"):
        raise UsageError(
            f"AWS_ACCESS_KEY_ID is exported, but is no key of AWS; {name} takes keys of AWS only.",
            state="Nothing was changed.",
            next="unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY   (a local stack exported them)",
        )


def _refuse_contradictions(found: Published, env: Mapping[str, str], reason: str) -> None:
    for variable, setting in _DECIDED.items():
        exported, published_value = env.get(variable, "").rstrip("/"), getattr(found, setting)
        if exported and exported != published_value:
            raise UsageError(
                f"{variable} is exported and contradicts the context that {reason} names "
                f"({exported} instead of {published_value}).",
                state="Nothing was changed.",
                next=f"unset {variable}",
            )


def _login(found: Published, env: Mapping[str, str]) -> tuple[Login, str]:
    """Whoever is exported, else MLflow's first user with the password as it is now."""
    if user := env.get("MLFLOW_TRACKING_USERNAME"):
        return Login(user, env.get("MLFLOW_TRACKING_PASSWORD", "")), "MLFLOW_TRACKING_USERNAME"
    return Login(defaults.ADMIN_USERNAME, admin_password(found)), found.admin_secret


def admin_password(found: Published) -> str:
    """The password of MLflow's first user, read now and kept nowhere.

    Raises:
        AccessError: these credentials may not read it.
    """
    try:
        with aws.errors("read the login", found.region, "secretsmanager:GetSecretValue"):
            client = aws.client("secretsmanager", found.region)
            return str(client.get_secret_value(SecretId=found.admin_secret)["SecretString"])
    except AccessError as refused:
        refused.next = "export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…   (a user of your own)"
        raise


def _origins(found: Published, reason: str, login_from: str) -> dict[str, str]:
    parameter = f"parameter {published.parameter(found.environment)}"
    settings = ("tracking_uri", "s3_endpoint", "s3_region", "artifact_bucket", "registry_bucket")
    return {
        **dict.fromkeys(settings, parameter),
        **dict.fromkeys(("tracking_username", "tracking_password"), login_from),
        **dict.fromkeys(("s3_access_key_id", "s3_secret_access_key"), "the AWS credential chain"),
        "context": reason,
    }
