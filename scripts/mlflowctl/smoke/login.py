"""The step about the login: nobody is refused, and who runs the test may do all that it does."""

from __future__ import annotations

import urllib.error
import urllib.request

from mlflowctl.errors import UnavailableError
from mlflowctl.smoke.bench import Bench, SmokeStep
from mlflowctl.smoke.meaning import ProofError


def login(bench: Bench) -> str:
    """Anonymous reading and writing are refused; the own role is enough for the steps that follow."""
    from mlflowctl.login import people
    from mlflowctl.login.roles import Level
    from mlflowctl.stack.health import API_PROBE

    uri, user = bench.context.tracking_uri, bench.context.login
    assert user is not None
    upload = f"/api/2.0/mlflow-artifacts/artifacts/{bench.token}"
    for method, path in (("GET", API_PROBE), ("PUT", upload)):
        status = _status(method, uri + path)
        if status != 401:
            raise ProofError(
                f"{uri} answered {method} {path.split('?')[0]} without a login (HTTP {status}).",
                state="Whoever reaches the server may do this.",
                next="mlflowctl doctor",
            )
    bench.level = people.own_level(bench.context)
    people.require(
        bench.context, Level.PROMOTER, "The smoke test stages and promotes a model of its own, which"
    )
    return f"nobody is refused (401), {user.username} ({bench.level.label}) is let in"


def _status(method: str, url: str) -> int:
    """The status of a request without a login."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=b"x" if method == "PUT" else None, method=method)  # noqa: S310
    try:
        with opener.open(request, timeout=6) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code
    except OSError as exc:
        raise UnavailableError(f"{url} does not answer: {exc}", next="mlflowctl status") from None


LOGIN = SmokeStep("login", "login", "look at the login", login, ("api",))
