"""Addresses of artifacts: which keys they mean, and how a folder may be written that was registered."""

from __future__ import annotations

import posixpath
from urllib.parse import urlsplit

PROXIED = "mlflow-artifacts:"
# An experiment, a run (or "models/<id>"), a folder: nobody registers less, and a version that claims a
# whole experiment as its own must not close it to the others.
SHALLOWEST = 3


def ancestors(key: str) -> list[str]:
    """The folders that a key lies in, itself included, that a version may have been registered from."""
    parts = [part for part in posixpath.normpath(key.strip("/")).split("/") if part not in ("", ".")]
    return ["/".join(parts[:depth]) for depth in range(SHALLOWEST, len(parts) + 1)]


def spellings(folder: str, root: str) -> list[str]:
    """How MLflow and its clients write the address of a folder below the server's artifact root."""
    names = [f"{PROXIED}/{folder}", f"{root.rstrip('/')}/{folder}"]
    _experiment, owner, kind, *rest = folder.split("/")
    if kind == "artifacts":  # of a run: clients may register it by the run's name
        names.append("/".join([f"runs:/{owner}", *rest]))
    return [*names, *(f"{name}/" for name in names)]


def key_of(uri: str, root: str) -> str | None:
    """The key below the artifact root that an address means; None if it leads elsewhere.

    Args:
        uri: of artifacts, as clients and MLflow write it.
        root: where the server keeps artifacts: "s3://bucket".
    """
    parts = urlsplit(uri)
    if parts.query or parts.fragment or ".." in parts.path.split("/"):
        return None
    if parts.scheme == "mlflow-artifacts":
        return parts.path.strip("/").removeprefix("api/2.0/mlflow-artifacts/artifacts/")
    below = root.rstrip("/") + "/"
    return uri.removeprefix(below).strip("/") if uri.startswith(below) else None
