"""What each endpoint really answers, asked through the gateway as a client would."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflowctl.errors import FindingsError, UsageError
from mlflowctl.registry.ledger import quoted
from mlflowctl.serving.following import View, look
from mlflowctl.serving.place import Place
from mlflowctl.serving.routes import FORCED

if TYPE_CHECKING:
    from mlflowctl.registry.desk import Desk
    from mlflowctl.settings import Context

URL = "MLFLOWCTL_SERVING_URL"
TIMEOUT = 5.0  # seconds for one answer
POLL = 0.25


@dataclass(frozen=True)
class Endpoint:
    """One variant as it answers.

    Attributes:
        variant: ``champion`` or ``challenger``.
        version: that answered; None: none did.
        ok: it answered, and well.
        seconds: until the answer.
        error: why not, in words; "" if ok.
    """

    variant: str
    version: int | None
    ok: bool
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Compared:
    """What answers against what should.

    Attributes:
        url: of the gateway.
        view: of registry and ledger.
        endpoints: as they answered.
        differences: one sentence each; empty if all is as it should be.
    """

    url: str
    view: View
    endpoints: tuple[Endpoint, ...]
    differences: tuple[str, ...]


def url_of(context: Context, model: str, given: str | None = None) -> str:
    """The address of a model's gateway: the option, the variable, AWS's or Compose's, this machine's.

    Raises:
        UsageError: nobody knows one.
    """
    if found := given or os.environ.get(URL):
        return found.rstrip("/")
    if context.environment is not None and model in context.environment.serving:
        return context.environment.serving[model].url.rstrip("/")
    if context.project is not None and context.project.served == model:
        return f"http://127.0.0.1:{context.project.serving_port}"
    port = Place.of(context, model).port()
    if port is not None:
        return f"http://127.0.0.1:{port}"
    raise UsageError(
        f"Nobody knows where model {model!r} is served.",
        state="Nothing was changed.",
        next=f"mlflowctl serve {quoted(model)}   (or name its gateway: --url http://…, or {URL})",
    )


def probe(url: str, variant: str) -> Endpoint:
    """Ask one variant for a sign of life.

    Args:
        url: of the gateway.
        variant: ``champion`` or ``challenger``.
    """
    import urllib3

    began = time.monotonic()
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT) as pool:
        try:
            answer = pool.request("GET", f"{url}/ping", headers={FORCED: variant})
        except urllib3.exceptions.HTTPError as exc:
            return Endpoint(variant, None, False, time.monotonic() - began, _why(exc))
    took, version = time.monotonic() - began, answer.headers.get("X-Model-Version", "")
    if answer.status != 200:
        return Endpoint(variant, None, False, took, f"HTTP {answer.status}")
    if not version.isdigit():
        return Endpoint(variant, None, False, took, "the answer names no version")
    return Endpoint(variant, int(version), True, took)


def _why(exc: Exception) -> str:
    """What urllib3 says, without its object in front: "Connection refused"."""
    return str(exc).rpartition(": ")[2] or type(exc).__name__


def compare(desk: Desk, model: str, url: str) -> Compared:
    """Ask registry and gateway, and compare."""
    view = look(desk, model)
    both = [("champion", view.champion), ("challenger", view.challenger)]
    endpoints = tuple(probe(url, name) for name, version in both if version is not None)
    differences = [
        f"the registry's {name} is v{version}, and the gateway's "
        + (f"is v{found.version}" if found.version else f"does not answer ({found.error})")
        for (name, version), found in zip([one for one in both if one[1] is not None], endpoints, strict=True)
        # Without a challenger of its own the gateway answers as it likes: the version tells.
        if found.version != version
    ]
    return Compared(url, view, endpoints, tuple(differences))


def wait_for(
    desk: Desk, model: str, url: str, *, seconds: float, progress: Callable[[str], None]
) -> Compared:
    """Compare until all is as it should be.

    Raises:
        FindingsError: it still was not when the time was over.
    """
    until, last = time.monotonic() + seconds, ""
    while True:
        found = compare(desk, model, url)
        if not found.differences:
            return found
        if time.monotonic() >= until:
            raise different(model, found)
        if (now := "; ".join(found.differences)) != last:
            progress(f"waiting: {now}")
            last = now
        time.sleep(POLL)


def different(model: str, found: Compared) -> FindingsError:
    """The error for endpoints that are not what the registry says."""
    return FindingsError(
        f"What serves model {model!r} is not what the registry says: {'; '.join(found.differences)}.",
        state="What serves keeps serving; nothing was changed.",
        next=f"mlflowctl model serving {quoted(model)} --wait 120, and read what mlflowctl serve prints",
    )


def server_state(place: Place) -> dict[str, object]:
    """What the supervisor on this machine last wrote down; empty if there is none."""
    try:
        found: dict[str, object] = json.loads(place.status.read_text())
    except (OSError, ValueError):
        return {}
    return found
