"""The boto3 client that everything in mlflowctl uses, and the clock of the store."""

from __future__ import annotations

import os
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from mlflowctl.errors import UnavailableError, UsageError
from mlflowctl.storage.errors import not_s3
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT = 3
READ_TIMEOUT = 60
ATTEMPTS = 4


def client(settings: S3Settings, *, read_timeout: float = READ_TIMEOUT, attempts: int = ATTEMPTS) -> S3Client:
    """A boto3 S3 client for this store, not yet connected to anything.

    boto3 is imported here, not above, so that ``--help`` stays fast. With no key in the settings the
    AWS chain is used; with a key, the chain is never consulted.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    from mlflowctl.storage.errors import translate

    config = Config(
        # boto3 still presigns with SigV2 for custom endpoints unless told otherwise.
        signature_version="s3v4",
        # A local endpoint has no DNS name per bucket.
        s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    try:
        # An own session: the default one is shared by all threads and is not safe to build clients from.
        return boto3.session.Session().client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            aws_session_token=settings.session_token,
            config=config,
        )
    except ValueError as exc:
        raise UsageError(
            f"{settings.endpoint_url!r} is no S3 endpoint: it must look like https://host:port.",
            state="Nothing was changed.",
            next="mlflowctl config show",
        ) from exc
    except BotoCoreError as exc:
        raise translate(exc, doing="prepare the S3 client", where=settings.where) from exc


def clock_skew(settings: S3Settings) -> float:
    """By how many seconds the store's clock is ahead of this machine's (negative: behind).

    Asks without credentials and reads the ``Date`` header, so it also works when every signed request
    is refused because of the clocks. Exact to about one second, which is what the header offers.
    """
    import requests

    url = settings.endpoint_url or f"https://s3.{settings.region}.amazonaws.com"
    before = time.time()
    try:
        # boto3's variable for a private CA, so that both ways of asking trust the same.
        trust = os.environ.get("AWS_CA_BUNDLE") or True
        answer = requests.head(url, timeout=(CONNECT_TIMEOUT, 10), allow_redirects=False, verify=trust)
    except requests.RequestException as exc:
        raise UnavailableError(
            f"The S3 endpoint {settings.where} cannot be reached ({type(exc).__name__}).",
            state="Nothing was changed.",
            next="mlflowctl doctor",
        ) from exc
    date = answer.headers.get("Date")
    if date is None:
        raise not_s3("read the clock of the store", settings.where)
    local = (before + time.time()) / 2
    # The header is cut to whole seconds, so on average it is half a second old.
    return parsedate_to_datetime(date).timestamp() + 0.5 - local
