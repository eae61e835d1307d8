"""Three S3 requests, signed by botocore and sent by urllib3, without building a boto3 client.

Importing boto3 and building a client takes 0.16 s, a third of a rollback. This class answers the three
calls that leases and ledger need as a boto3 client would (names, arguments, fields, exceptions), so either
can stand in for the other. Only for a store with an address and keys of its own; AWS itself, with its
regions, redirects and credential chain, is boto3's matter.
"""

from __future__ import annotations

import base64
import io
import zlib
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    import urllib3

XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class QuickS3:
    """GET, PUT and LIST on one store.

    Args:
        settings: with an endpoint and an access key.
        read_timeout: seconds for one answer.
        connect_timeout: seconds for one connection.
        attempts: how often a request is tried that got no answer, or one that says "later".
    """

    def __init__(
        self, settings: S3Settings, *, read_timeout: float, connect_timeout: float, attempts: int
    ) -> None:
        import urllib3

        self.settings, self.attempts = settings, attempts
        self._pool = urllib3.PoolManager(maxsize=8, retries=False)
        self._timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)

    @cached_property
    def _signer(self) -> Any:
        from botocore.auth import S3SigV4Auth
        from botocore.credentials import ReadOnlyCredentials

        keys = self.settings
        found = ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
        return S3SigV4Auth(found, "s3", keys.region)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        answer = self._send("GetObject", "GET", Bucket, Key)
        return {
            "Body": io.BytesIO(answer.data),
            "ETag": answer.headers["ETag"],
            "LastModified": parsedate_to_datetime(answer.headers["Last-Modified"]).astimezone(UTC),
            "ResponseMetadata": {"HTTPHeaders": {"date": answer.headers.get("Date", "")}},
        }

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str,
        IfMatch: str = "",
        IfNoneMatch: str = "",
    ) -> dict[str, Any]:
        checksum = base64.b64encode(zlib.crc32(Body).to_bytes(4, "big")).decode()
        headers = {"Content-Type": ContentType, "x-amz-checksum-crc32": checksum}
        headers |= {"If-Match": IfMatch} if IfMatch else {}
        headers |= {"If-None-Match": IfNoneMatch} if IfNoneMatch else {}
        return {"ETag": self._send("PutObject", "PUT", Bucket, Key, Body, headers).headers["ETag"]}

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        Prefix: str,
        StartAfter: str = "",
        MaxKeys: int = 1000,
    ) -> dict[str, Any]:
        from xml.etree import ElementTree

        query = {"list-type": "2", "max-keys": str(MaxKeys), "prefix": Prefix, "start-after": StartAfter}
        answer = self._send("ListObjectsV2", "GET", Bucket, "", query=query)
        root = ElementTree.fromstring(answer.data)  # noqa: S314 (from the store that is trusted with everything)
        spaced = root.findall(f"{XML}Contents/{XML}Key") or root.findall("Contents/Key")
        return {"Contents": [{"Key": one.text or ""} for one in spaced]}

    def _send(
        self,
        operation: str,
        method: str,
        bucket: str,
        key: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        import time

        for attempt in range(1, self.attempts + 1):
            try:
                return self._once(operation, method, bucket, key, body, headers or {}, query)
            except Exception as exc:
                if attempt == self.attempts or not _passes(exc):
                    raise
                time.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

    def _once(
        self,
        operation: str,
        method: str,
        bucket: str,
        key: str,
        body: bytes,
        headers: dict[str, str],
        query: dict[str, str] | None,
    ) -> urllib3.BaseHTTPResponse:
        import urllib3
        from botocore import exceptions
        from botocore.awsrequest import AWSRequest

        endpoint = self.settings.endpoint_url or ""
        url = f"{endpoint.rstrip('/')}/{bucket}/{quote(key, safe='/~')}"
        url += f"?{urlencode(query, quote_via=quote)}" if query else ""
        request = AWSRequest(method, url, headers=headers, data=body)
        self._signer.add_auth(request)
        try:
            answer = self._pool.request(
                method, url, body=body, headers=dict(request.headers.items()), timeout=self._timeout
            )
        except urllib3.exceptions.SSLError as exc:
            raise exceptions.SSLError(endpoint_url=endpoint, error=exc) from None
        except urllib3.exceptions.ConnectTimeoutError as exc:
            raise exceptions.ConnectTimeoutError(endpoint_url=endpoint, error=exc) from None
        except urllib3.exceptions.ReadTimeoutError as exc:
            raise exceptions.ReadTimeoutError(endpoint_url=endpoint, error=exc) from None
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise exceptions.EndpointConnectionError(endpoint_url=endpoint, error=exc) from None
        if answer.status >= 300:
            raise exceptions.ClientError(_problem(answer), operation)
        return answer


def _problem(answer: urllib3.BaseHTTPResponse) -> Any:
    """S3's error document in the shape that botocore gives it."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(answer.data)  # noqa: S314
        code = root.findtext("Code") or root.findtext(f"{XML}Code") or str(answer.status)
    except ElementTree.ParseError:
        code = "PreconditionFailed" if answer.status == 412 else str(answer.status)
    return {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": answer.status}}


def _passes(exc: Exception) -> bool:
    """Whether trying again may help: no answer at all, or the store's own "later"."""
    from botocore import exceptions

    if isinstance(exc, exceptions.ClientError):
        status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return status in (429, 500, 502, 503, 504)
    return isinstance(exc, exceptions.HTTPClientError | exceptions.ConnectionError) and not isinstance(
        exc, exceptions.SSLError
    )
