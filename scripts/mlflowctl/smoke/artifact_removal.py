"""Removing the artifacts of a smoke test: every version from the bucket, or through the API without keys."""

from __future__ import annotations

from typing import Any

from mlflowctl.errors import AccessError
from mlflowctl.settings import Context
from mlflowctl.smoke.meaning import ProofError

UNTIL_EXPIRED = "artifact versions in the bucket, until its lifecycle rule expires them"


def remove(context: Context, location: str, folders: list[str]) -> list[str]:
    """Remove the artifact folders under an experiment's artifact root, and prove that they are gone.

    Args:
        context: the platform.
        location: artifact root of the experiment, ``mlflow-artifacts:/7`` or ``s3://bucket/…/7``.
        folders: what to remove there; each carries the id of a run or a logged model, so no one else's
            artifacts can be hit, even if the keys of this context belong to another store.

    Returns:
        What stays, in words.

    Raises:
        ProofError: artifacts are still there.
    """
    repository = _repository(location)
    before = [folder for folder in folders if repository.list_artifacts(folder)]
    for folder in before:
        repository.delete_artifacts(folder)
    still = [folder for folder in before if repository.list_artifacts(folder)]
    if still:
        raise ProofError(
            f"Artifacts are still there after their removal: {', '.join(f'{location}/{s}' for s in still)}.",
            state="The server says it removed them.",
            next="mlflowctl logs mlflow",
        )
    return _purge_versions(context, location, folders) if before else []


def _purge_versions(context: Context, location: str, folders: list[str]) -> list[str]:
    """A versioned bucket keeps what was deleted; remove that too where the keys are known."""
    s3 = context.s3
    if s3 is None or not s3.owned:
        return [UNTIL_EXPIRED]
    bucket, root = _in_bucket(location, s3.artifact_bucket)
    try:
        for folder in folders:
            _delete_versions(s3, bucket, f"{root}{folder}/")
    except AccessError:
        if context.login is None:  # wrong keys, which is for somebody to know
            raise
        return [UNTIL_EXPIRED]  # a user's own keys: only the store's administrator may delete for good
    return []


def _delete_versions(s3: Any, bucket: str, prefix: str) -> None:
    from mlflowctl.storage import client, s3_errors

    store = client(s3)
    with s3_errors(
        f"remove the artifacts under {prefix}", where=s3.where, permission="s3:DeleteObjectVersion"
    ):
        for page in store.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                store.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
        left = store.list_object_versions(Bucket=bucket, Prefix=prefix)
    if left.get("Versions") or left.get("DeleteMarkers"):
        raise ProofError(
            f"Bucket {bucket} still holds versions under {prefix} after their removal.",
            state="They take space until the bucket's lifecycle rule expires them.",
            next="mlflowctl doctor",
        )


def _in_bucket(location: str, artifact_bucket: str) -> tuple[str, str]:
    """Bucket and key prefix of an artifact root; proxied roots lie at the top of the artifact bucket."""
    from urllib.parse import urlparse

    parsed = urlparse(location)
    path = parsed.path.strip("/")
    bucket = parsed.netloc if parsed.scheme == "s3" else artifact_bucket
    return bucket, f"{path}/" if path else ""


def _repository(location: str) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(location)
