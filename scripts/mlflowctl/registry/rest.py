"""A small client of MLflow's REST API: one kept connection, typed errors, and no ``import mlflow``.

Importing MLflow's own client takes four to five seconds, more than a whole rollback may take.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from mlflowctl.errors import (
    ConflictError,
    MlflowctlError,
    NotFoundError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    import urllib3

    from mlflowctl.settings import Login

API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
TIMEOUT = 20.0  # seconds; a server whose database hangs never answers
CHUNK = 1 << 20
# What a proxy answers whose server went on without it, and MLflow when the database was lost at the commit.
UNCERTAIN = (502, 503, 504)
GUARD = re.compile(r"mlflowctl guard \[([\w-]+)\][^\n]*")


class GuardRefusal(ConflictError):
    """The guard in the database refused a change; ``rule`` is the name that programs go by."""

    code = "guard"

    def __init__(self, what: str, rule: str, **more: str) -> None:
        super().__init__(what, **more)
        self.rule = rule


class UnknownOutcome(UnavailableError):
    """A change was sent and no answer came: it may have happened."""

    code = "unknown_outcome"


class Rest:
    """MLflow's REST API at one address.

    Args:
        uri: the tracking URI.
        login: who to say we are; None where the server asks nobody.
    """

    def __init__(self, uri: str, login: Login | None = None) -> None:
        import urllib3

        self.uri = uri.rstrip("/")
        headers = {"User-Agent": "mlflowctl"}
        if login:
            headers |= urllib3.make_headers(basic_auth=f"{login.username}:{login.password}")
        trust = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or os.environ.get("REQUESTS_CA_BUNDLE")
        self._pool = urllib3.PoolManager(headers=headers, retries=False, ca_certs=trust, maxsize=4)

    def get(self, path: str, **parameters: object) -> dict[str, Any]:
        """GET an API path; tried once more if the kept connection was dropped.

        Args:
            path: below API 2.0, or from the server's root if it begins with a slash.
            parameters: of the query.
        """
        url = f"{self._url(path)}?{urlencode(parameters)}"
        try:
            return self._json(self._send("GET", url))
        except UnavailableError:
            return self._json(self._send("GET", url))

    def post(
        self, path: str, body: dict[str, object], *, timeout: float = TIMEOUT, method: str = "POST"
    ) -> dict[str, Any]:
        """Send a change once.

        Raises:
            UnknownOutcome: no answer came, or none that tells, so the change may have happened.
            GuardRefusal, NotFoundError, AccessError, UsageError, UnavailableError: the server's answer.
        """
        answer = self._send(method, self._url(path), body=body, timeout=timeout)
        if answer.status in UNCERTAIN and not GUARD.search(answer.data.decode(errors="replace")):
            raise self._unknown(f"HTTP {answer.status}")
        return self._json(answer)

    def artifact(self, path: str) -> Iterator[bytes]:
        """The content of one artifact behind the server's proxy, in pieces.

        Args:
            path: below the server's artifact root: "1/models/m-…/artifacts/MLmodel".
        """
        answer = self._send("GET", f"{self.uri}{ARTIFACTS}/{quote(path)}", timeout=60, stream=True)
        try:
            if answer.status != 200:
                self._raise(answer.status, answer.read().decode(errors="replace"))
            yield from answer.stream(CHUNK)
        finally:
            answer.release_conn()

    def artifacts(self, path: str) -> list[dict[str, Any]]:
        """One folder behind the server's proxy: ``path``, ``is_dir`` and ``file_size`` of each entry."""
        answer = self._json(self._send("GET", f"{self.uri}{ARTIFACTS}?{urlencode({'path': path})}"))
        found: list[dict[str, Any]] = answer.get("files", [])
        return found

    def put_artifact(self, path: str, content: bytes | IO[bytes]) -> None:
        """Write one artifact through the server's proxy."""
        answer = self._send("PUT", f"{self.uri}{ARTIFACTS}/{quote(path)}", content=content, timeout=60)
        self._json(answer)

    def _url(self, path: str) -> str:
        return f"{self.uri}{path if path.startswith('/') else API + path}"

    def _send(
        self,
        method: str,
        url: str,
        *,
        body: dict[str, object] | None = None,
        content: bytes | IO[bytes] | None = None,
        timeout: float = TIMEOUT,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        import urllib3

        headers = dict(self._pool.headers)
        data: Any = content
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        limit = urllib3.Timeout(connect=min(timeout, 5.0), read=timeout)
        try:
            return self._pool.request(
                method, url, body=data, headers=headers, timeout=limit, preload_content=not stream
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as exc:
            raise self._silent(exc) from None
        except urllib3.exceptions.LocationValueError:
            raise UsageError(
                f"{self.uri!r} is no address of an MLflow server.",
                state="Nothing was changed.",
                next="mlflowctl config show",
            ) from None
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            if method == "GET":
                raise self._silent(exc) from None
            raise self._unknown(type(exc).__name__) from None

    def _unknown(self, why: str) -> UnknownOutcome:
        return UnknownOutcome(
            f"The MLflow server at {self.uri} did not answer a change ({why}).",
            state="The change may or may not have happened.",
            next="mlflowctl status, then repeat the command: it looks first.",
        )

    def _silent(self, exc: Exception) -> UnavailableError:
        return UnavailableError(
            f"The MLflow server does not answer at {self.uri} ({type(exc).__name__}).",
            state="Nothing was changed.",
            next="mlflowctl status, then mlflowctl logs mlflow",
        )

    def _json(self, answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        text = answer.data.decode(errors="replace")
        if answer.status != 200:
            self._raise(answer.status, text)
        try:
            found: dict[str, Any] = json.loads(text or "{}")
        except ValueError:
            raise UsageError(
                f"{self.uri} answers, but not as an MLflow server.",
                state="Nothing was changed.",
                next="mlflowctl config show",
            ) from None
        return found

    def _raise(self, status: int, text: str) -> None:
        try:
            answer = json.loads(text)
            code, message = str(answer.get("error_code", "")), str(answer.get("message", ""))
        except (ValueError, AttributeError):
            code, message = "", text.strip()
        raise self._error(status, code, message)

    def _error(self, status: int, code: str, message: str) -> MlflowctlError:
        unchanged = "Nothing was changed."
        if rule := GUARD.search(message):
            return GuardRefusal(rule[0], rule[1], state=unchanged, next="docs/guard.md explains the rule.")
        if code == "RESOURCE_DOES_NOT_EXIST" or (
            code == "INVALID_PARAMETER_VALUE" and "not found" in message
        ):
            return NotFoundError(message, state=unchanged, next="mlflowctl model status")
        if status in (401, 403) or code == "PERMISSION_DENIED":
            from mlflowctl.server_answers import refused

            return refused(self.uri, status if status in (401, 403) else 403, message)
        if code in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"):
            first = message.strip().splitlines()[0][:300] if message.strip() else code
            return UsageError(f"MLflow refuses this: {first}", state=unchanged, next="mlflowctl doctor")
        first = message.strip().splitlines()[0][:300] if message.strip() else ""
        return UnavailableError(
            f"The MLflow server at {self.uri} answers HTTP {status}: {first}",
            state="The change was not made." if status < 500 else "The server cannot serve at the moment.",
            next="mlflowctl doctor",
        )
