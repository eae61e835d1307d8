"""What an MLflow server means by an answer that is not 200."""

from __future__ import annotations

from mlflowctl.errors import AccessError, UnavailableError, UsageError


def refused(uri: str, status: int, body: str) -> AccessError | UnavailableError | UsageError:
    """What an answer that is not 200 means."""
    first = body.strip().splitlines()[0][:300] if body.strip() else ""
    if status == 403 and "Host" in body:
        return AccessError(
            f"The server at {uri} does not accept this host name: {first}",
            state="The server runs; it refuses every request made under this name.",
            next="Use an allowed name, or add this one to the server's allowed hosts.",
        )
    if status in (401, 403):
        return AccessError(
            f"The server at {uri} refuses this login (HTTP {status}).",
            state="The server runs.",
            next="Check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
        )
    if status == 404:
        return UsageError(
            f"{uri} answers, but not as an MLflow server (HTTP 404).",
            state="Nothing was changed.",
            next="mlflowctl config show",
        )
    return UnavailableError(
        f"The MLflow server at {uri} answers HTTP {status}: {first}",
        state="The server runs, but cannot serve (its database may be down).",
        next="mlflowctl doctor",
    )
