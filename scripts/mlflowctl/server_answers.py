"""What an MLflow server means by an answer that is not 200."""

from __future__ import annotations

from mlflowctl.errors import AccessError, UnavailableError, UsageError
from mlflowctl.login.refusals import MARK


def refused(uri: str, status: int, body: str) -> AccessError | UnavailableError | UsageError:
    """What an answer that is not 200 means."""
    first = body.strip().splitlines()[0][:300] if body.strip() else ""
    if status == 403 and "Host" in body:
        return AccessError(
            f"The server at {uri} does not accept this host name: {first}",
            state="The server runs; it refuses every request made under this name.",
            next="Use an allowed name, or add this one to the server's allowed hosts.",
        )
    if status == 401:
        return AccessError(
            f"The server at {uri} lets nobody in under this name and password (HTTP 401).",
            state="The server runs. Nothing was changed.",
            next="mlflowctl config show names the login and where it came from "
            "(MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the stack's own)",
        )
    if status == 403:
        return _role_not_enough(uri, body)
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


def _role_not_enough(uri: str, body: str) -> AccessError:
    """A login that is right and may not do this; the gate says which role may, MLflow itself does not."""
    found = MARK.search(body)
    if found is None:
        return AccessError(
            f"The server at {uri} does not allow this to the login that was used, or what was named does not "
            "exist: it tells only administrators which (HTTP 403).",
            state="Nothing was changed.",
            next="Check the names; docs/login.md says what each role may do.",
        )
    role = found[1]
    return AccessError(
        found[0],
        state="Nothing was changed.",
        next="Ask an administrator of the server."
        if role == "admin"
        else f"Ask somebody with that role, or an administrator: mlflowctl user role NAME --role {role}",
    )
