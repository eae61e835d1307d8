"""Probes that touch what matters: a login, a signed S3 request, an API call that reads the database."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from mlflowctl.database.connect import Database, connect_as_admin
from mlflowctl.errors import UnavailableError
from mlflowctl.server_answers import refused
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mlflowctl.settings import Login

API_PROBE = "/api/2.0/mlflow/registered-models/search?max_results=1"


def database(target: Database) -> None:
    """Raise unless PostgreSQL lets the admin role in."""
    connect_as_admin(target, name=target.maintenance_name).close()


def object_store(target: S3Settings) -> None:
    """Raise unless the object store answers a signed request.

    Buckets that somebody else owns are there, and no role in AWS may list all of an account: one is asked.
    """
    from mlflowctl.storage.client import client
    from mlflowctl.storage.errors import s3_errors

    if not target.owned:
        bucket = target.registry_bucket
        with s3_errors(f"look at bucket {bucket}", where=target.where, permission="s3:ListBucket"):
            client(target).list_objects_v2(Bucket=bucket, MaxKeys=1)
        return
    with s3_errors("list the buckets", where=target.where, permission="s3:ListAllMyBuckets"):
        client(target).list_buckets()


def tracking_server(uri: str, *, login: Login | None = None, timeout: float = 10) -> None:
    """Raise unless the API answers through the address that clients use, from the database.

    ``/health`` would not do: it answers 200 with the database stopped and to any Host.

    Args:
        uri: the tracking URI.
        login: who to say we are; None where the server asks nobody.
        timeout: seconds for the one request.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(uri + API_PROBE, headers=basic(login))  # noqa: S310
    try:
        with opener.open(request, timeout=timeout) as answer:
            json.load(answer)
    except urllib.error.HTTPError as exc:
        raise refused(uri, exc.code, exc.read(2000).decode(errors="replace")) from None
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "reason", exc)
        raise UnavailableError(
            f"The MLflow server does not answer at {uri}: {reason}",
            state="The registry cannot be reached.",
            next="mlflowctl status, then mlflowctl logs mlflow",
        ) from None


def basic(login: Login | None) -> dict[str, str]:
    """The header of HTTP's basic authentication; none without a login."""
    if login is None:
        return {}
    token = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}
