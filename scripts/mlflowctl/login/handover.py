"""What a user is handed over: one file of variables, readable for its owner only, or one look at them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mlflowctl.errors import UsageError
from mlflowctl.files import write_atomic

if TYPE_CHECKING:
    from mlflowctl.settings import Context
    from mlflowctl.storage.access import Keys


def variables(context: Context, name: str, password: str | None, keys: Keys | None) -> dict[str, str]:
    """The variables with which a user reaches the context; a secret that was not made now is left out."""
    found = {"MLFLOW_TRACKING_URI": context.tracking_uri, "MLFLOW_TRACKING_USERNAME": name}
    if password is not None:
        found["MLFLOW_TRACKING_PASSWORD"] = password
    if keys is None or context.s3 is None:
        return found
    return found | {
        **({"MLFLOW_S3_ENDPOINT_URL": context.s3.endpoint_url} if context.s3.endpoint_url else {}),
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": context.s3.region,
        "MLFLOWCTL_ARTIFACT_BUCKET": context.s3.artifact_bucket,
        "MLFLOWCTL_REGISTRY_BUCKET": context.s3.registry_bucket,
    }


def render(found: dict[str, str]) -> str:
    """As a dotenv file that a shell reads as well: ``set -a; . FILE; set +a``."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in found.items())


def refuse_existing(file: Path) -> None:
    """A file that is there belongs to somebody.

    Raises:
        UsageError: it is there, or its folder is not.
    """
    if file.exists() or not file.absolute().parent.is_dir():
        why = "is there already" if file.exists() else "cannot be written: its folder does not exist"
        raise UsageError(f"{file} {why}.", state="Nothing was changed.", next="Name another file with --to")


def write(file: Path, found: dict[str, str]) -> None:
    """Write the file, or set these variables in one that is there and keep its others."""
    kept: dict[str, str] = {}
    if file.exists():
        from dotenv import dotenv_values

        before = dotenv_values(file, interpolate=False)
        kept = {name: value for name, value in before.items() if value is not None}
    write_atomic(file, render(kept | found))
