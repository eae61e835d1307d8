"""What a failure means: from whatever MLflow, requests or boto3 raised to what happened and what to do."""

from __future__ import annotations

import json
import re
from typing import Any

from mlflowctl.errors import AccessError, FindingsError, MlflowctlError, UnavailableError

LEFT = "The other steps tell how much of the registry works."
GUARD = "mlflowctl guard ["  # how every refusal of the guard begins
_STATUS = re.compile(r"failed with error code (\d{3})|too many (\d{3}) error responses")
_NO_BUCKET = ("specified bucket does not exist", "NoSuchBucket")
_BAD_KEYS = (
    "request signature we calculated does not match",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "access key ID you provided does not exist",
    "access key Id you provided does not exist",
    "Unable to locate credentials",
    "NoCredentials",
)
_SILENT = ("Connection refused", "Connection aborted", "Connection reset", "timed out", "resolve", "reached")


class ProofError(MlflowctlError):
    """The registry answered, and the answer is wrong."""

    code = "proof"


def explain(exc: BaseException, *, doing: str, uri: str) -> MlflowctlError:
    """The typed error for a failure of a step.

    Args:
        exc: what was raised.
        doing: what the step did, after "could not": "store a small artifact".
        uri: the tracking URI.
    """
    from mlflowctl.server_answers import refused

    if isinstance(exc, MlflowctlError):
        return exc
    text, status = message_of(exc), status_of(exc)
    whose = "this client" if exc.__class__.__module__.startswith("boto") else "the MLflow server"
    if any(sign in text for sign in _NO_BUCKET):
        return UnavailableError(
            f"Could not {doing}: the artifact bucket does not exist ({short(text)})",
            state="Runs and models are recorded, but no artifact can be stored or read.",
            next="mlflowctl bootstrap",
        )
    if any(sign in text for sign in _BAD_KEYS):
        return AccessError(
            f"Could not {doing}: the object store refuses the credentials of {whose} ({short(text)})",
            state="Runs and models are recorded, but no artifact can be stored or read.",
            next="mlflowctl config show names the keys; mlflowctl restart makes the server read them again",
        )
    if GUARD in text:
        return FindingsError(
            f"Could not {doing}: the guard refused what it must allow ({short(text)})",
            state="The guard is altered, or the registry is closed for a schema migration.",
            next="mlflowctl bootstrap",
        )
    if status in (401, 403, 503):
        return refused(uri, status, text)
    if status is None and any(sign in text for sign in _SILENT):
        return UnavailableError(
            f"Could not {doing}: the MLflow server at {uri} does not answer ({short(text)})",
            state="It answered when the smoke test began.",
            next="mlflowctl status, then mlflowctl logs mlflow",
        )
    return MlflowctlError(
        f"Could not {doing}: {exc.__class__.__name__}: {short(text)}", state=LEFT, next="mlflowctl doctor"
    )


def status_of(exc: BaseException) -> int | None:
    """The HTTP status of the server's answer, if there was one."""
    response = getattr(exc, "response", None)
    if response is not None and hasattr(response, "status_code"):
        return int(response.status_code)
    if found := _STATUS.search(str(exc)):
        return int(found[1] or found[2])
    # A RestException was read from an answer; other MlflowExceptions only guess a status.
    if exc.__class__.__name__ == "RestException":
        status: int = exc.get_http_status_code()  # type: ignore[attr-defined]
        return status
    return None


def message_of(exc: BaseException) -> str:
    """What the server said, without the client library's wrapping where it can be taken off."""
    response = getattr(exc, "response", None)
    if response is not None and hasattr(response, "text"):
        try:
            body: Any = json.loads(response.text)
            return str(body["message"])
        except (ValueError, KeyError, TypeError):
            return str(response.text) or str(exc)
    return str(exc)


def is_missing(exc: BaseException) -> bool:
    """True if the server says that the thing does not exist."""
    return getattr(exc, "error_code", "") in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND") or status_of(exc) == 404


def short(text: str, limit: int = 300) -> str:
    """The first line that says something, cut to a length that a terminal shows."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else "no message"
    return first if len(first) <= limit else first[: limit - 1] + "…"


def some_of(parts: list[str], limit: int = 3) -> str:
    """The first few of a list, and how many more there are."""
    more = f"; and {len(parts) - limit} more" if len(parts) > limit else ""
    return "; ".join(parts[:limit]) + more
