"""Who gets which requests, as the gateway is told: plain data, and Traefik's file made of it.

A service is named after step, variant and version (``s12-challenger-v7``), so that every line of the access
log tells under which share its request was assigned.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

WHOLE = 10_000  # shares are told to the gateway in hundredths of a percent
FORCED = "X-Model-Variant"  # a tester's header; what it chooses is no evidence
COOKIE = "mlflowctl_variant"
# A request whose server dies is given to another one. With three, what waited at a dead challenger with half
# the share was sent back there too often; with many more, one request could end all servers.
ATTEMPTS = 5
INTERVAL = "50ms"
BODY_LIMIT = (
    256 << 10
)  # bytes that are kept for a repetition, and set aside for every request: 64 MB cost 5 ms
FALLBACK, NOBODY = "fallback", "nobody"  # services: the gateway's own answers; the same without a champion
SERVICE = re.compile(r"s(\d+)-(champion|challenger)-v(\d+)(?:@file)?")


@dataclass(frozen=True)
class Target:
    """A version and the loopback port on which it answers."""

    version: int
    port: int


@dataclass(frozen=True)
class Routes:
    """What the gateway does now.

    Attributes:
        step: number of the ledger entry that the share comes from; 0: none.
        champion: None: nothing can answer.
        challenger: None: there is none, or it is not ready.
        share: of the challenger, 0 to 1; 0 leaves it reachable for testers alone.
        mode: ``split`` or ``shadow``.
        sticky: a cookie keeps a client with its variant, as long as the step lasts.
        fallback: loopback port of what answers where no server does; 0: nothing does.
        vacant: the registry has no champion, so that having none to ask is well.
    """

    step: int = 0
    champion: Target | None = None
    challenger: Target | None = None
    share: float = 0.0
    mode: str = "split"
    sticky: bool = False
    fallback: int = 0
    vacant: bool = False

    def dumps(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def loads(cls, text: str) -> Routes:
        """What ``dumps`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            raw = json.loads(text)
            targets = {
                name: Target(**raw.pop(name)) if raw.get(name) else None
                for name in ("champion", "challenger")
            }
            return cls(**{**raw, **targets})
        except (TypeError, KeyError, AttributeError) as exc:
            raise ValueError(str(exc)) from None


def service_of(name: str) -> tuple[int, str, int] | None:
    """Step, variant and version of a service's name; None for another service."""
    found = SERVICE.fullmatch(name)
    return (int(found[1]), found[2], int(found[3])) if found else None


def dynamic(routes: Routes) -> dict[str, Any]:
    """Traefik's dynamic configuration."""
    if routes.champion is None and not routes.fallback:
        return {}
    routers: dict[str, Any] = {
        "predict": {"rule": "Path(`/invocations`)", "service": "all", "priority": 10},
        "other": {"rule": "PathPrefix(`/`)", "service": "all", "priority": 1},
    }
    for variant, _ in _targets(routes):
        routers[f"forced-{variant}"] = {
            "rule": f"Header(`{FORCED}`, `{variant}`)", "service": _service(routes, variant), "priority": 100,
        }  # fmt: skip
    for router in routers.values():
        router |= {"middlewares": ["again"], "entryPoints": ["models"]}
    again = {
        "attempts": ATTEMPTS,
        "initialInterval": INTERVAL,
        "retryNonIdempotentMethod": True,
        "status": ["502"],  # what the gateway itself answers when a server dies over a request
        "maxRequestBodyBytes": BODY_LIMIT,
    }
    services, middlewares = _services(routes)
    return {
        "http": {
            "routers": routers,
            "middlewares": {"again": {"retry": again}, **middlewares},
            "services": {**services, "all": _all(routes)},
        }
    }


def _services(routes: Routes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Services: one for each target, and the fallback's. Middlewares: what is said where a target fails."""
    services: dict[str, Any] = {}
    middlewares: dict[str, Any] = {}
    for variant, target in _targets(routes):
        name = _service(routes, variant)
        # Answers are small; without an interval a stream would wait for the buffer.
        services[name] = _to(target.port, responseForwarding={"flushInterval": "10ms"})
        if routes.fallback:
            # At the service and not at the router, where it is known who was asked.
            services[name]["middlewares"] = [f"failed-{name}"]
            middlewares[f"failed-{name}"] = {
                "errors": {"status": ["502-504"], "service": FALLBACK, "query": f"/failed/{name}"}
            }
    if routes.fallback:
        services[FALLBACK] = _to(routes.fallback)
        services[NOBODY] = {**_to(routes.fallback), "middlewares": [NOBODY]}
        middlewares[NOBODY] = {"addPrefix": {"prefix": "/vacant" if routes.vacant else "/loading"}}
    return services, middlewares


def _to(port: int, **more: Any) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}], **more}}


def _targets(routes: Routes) -> list[tuple[str, Target]]:
    both = (("champion", routes.champion), ("challenger", routes.challenger))
    return [(variant, target) for variant, target in both if target is not None]


def _service(routes: Routes, variant: str) -> str:
    target = routes.champion if variant == "champion" else routes.challenger
    assert target is not None
    return f"s{routes.step}-{variant}-v{target.version}"


def _all(routes: Routes) -> dict[str, Any]:
    """The service that everything goes to unless a tester chooses."""
    if routes.champion is None:  # a challenger alone is for testers
        return {"weighted": {"services": [{"name": NOBODY, "weight": 1}]}}
    if routes.challenger is None:
        return {"weighted": {"services": [{"name": _service(routes, "champion"), "weight": 1}]}}
    champion, challenger = _service(routes, "champion"), _service(routes, "challenger")
    if routes.mode == "shadow" and routes.share > 0:
        percent = max(1, round(100 * routes.share))
        return {"mirroring": {"service": champion, "mirrors": [{"name": challenger, "percent": percent}]}}
    weight = round(WHOLE * routes.share)
    split: dict[str, Any] = {
        "services": [{"name": champion, "weight": WHOLE - weight}, {"name": challenger, "weight": weight}]
    }
    if routes.sticky and weight:
        split["sticky"] = {"cookie": {"name": COOKIE, "httpOnly": True, "sameSite": "lax"}}
    return {"weighted": split}
