"""A page that shows a live test: read-only, on this machine only, no scripts, nothing from outside."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.live import report, words
from mlflowctl.registry.evidence import figures
from mlflowctl.registry.evidence.plain import visible
from mlflowctl.registry.evidence.plot import plot
from mlflowctl.registry.evidence.words import RESULT
from mlflowctl.registry.verdict import GateResult, Interval, Verdict

if TYPE_CHECKING:
    from jinja2 import Template

    from mlflowctl.registry.desk import Desk

REFRESH = 5  # seconds
LOOPBACK = "127.0.0.1"
# A name that somebody else's page made point here must not be answered.
HOSTS = ("127.0.0.1", "localhost", "[::1]")


def render(found: dict[str, Any]) -> str:
    """The page.

    Args:
        found: of :func:`mlflowctl.live.report.status`.
    """
    page = _template().render(
        s=found,
        metrics=[_metric(index, one) for index, one in enumerate(_shown_metrics(found))],
        refresh=REFRESH,
    )
    return page.lstrip().encode("utf-8", "replace").decode()


def style_source() -> str:
    """The style sheet's source expression for the policy, so that no other style is applied."""
    return "sha256-" + b64encode(sha256(_css().encode()).digest()).decode()


def policy() -> str:
    """The Content-Security-Policy of every answer."""
    return (
        f"default-src 'none'; style-src '{style_source()}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


@cache
def _css() -> str:
    return Path(__file__).with_name("page.css").read_text("utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_visible, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": words.percent,
        "duration": words.duration,
        "number": figures.number,
        "clock": lambda text: f"{text[:10]} {text[11:19]} UTC" if text else "–",
    }
    environment.globals |= {"css": _css(), "RESULT": RESULT}
    return environment.from_string(Path(__file__).with_name("page.html.j2").read_text("utf-8"))


def _visible(value: Any) -> Any:
    return visible(value) if type(value) is str else value


def _shown_metrics(found: dict[str, Any]) -> list[dict[str, Any]]:
    """While baking, the guardrails of the new champion; else the test's metrics."""
    return list(found["baking"] or found["metrics"])


def _metric(index: int, told: dict[str, Any]) -> dict[str, Any]:
    result = result_of(told)
    places = figures.decimals(result)
    return {
        "result": result,
        "id": f"metric-{index}",
        "plot": plot(result),
        "challenger": _value(result.challenger, places),
        "champion": _value(result.champion, places),
    }


def _value(value: float | None, places: int | None) -> str:
    return "–" if value is None else figures.number(value, places)


def result_of(told: dict[str, Any]) -> GateResult:
    """A metric's result as it was told; where JSON has null for a bound, there is none."""
    interval = told["interval"]
    if interval is not None:
        low, high = interval["low"], interval["high"]
        interval = Interval(
            **{
                **interval,
                "low": float("-inf") if low is None else low,
                "high": float("inf") if high is None else high,
            }
        )
    return GateResult(**{**told, "verdict": Verdict(told["verdict"]), "interval": interval})


@dataclass
class Site:
    """What the page is about."""

    desk: Desk
    model: str

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a path."""
        if path not in ("/", "/status.json"):
            return HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"Not here.\n"
        try:
            found = report.status(self.desk, self.model)
        except MlflowctlError as exc:
            text = f"{exc.what}\n{exc.state}\n{exc.next}\nThis page tries again in {REFRESH} seconds.\n"
            return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text.encode()
        if path == "/":
            return HTTPStatus.OK, "text/html; charset=utf-8", render(found).encode()
        return HTTPStatus.OK, "application/json", (json.dumps(found, indent=2) + "\n").encode()


def server(desk: Desk, model: str, port: int) -> ThreadingHTTPServer:
    """A server for the page on the loopback interface; ``serve_forever`` starts it.

    Args:
        desk: where to look.
        model: name of the registered model.
        port: 0 for any free one.

    Raises:
        OSError: the port is taken.
    """
    site = Site(desk, model)

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "mlflowctl", ""
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            _respond(self, site)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing: a page that refreshes itself would fill the terminal."""

    made = ThreadingHTTPServer((LOOPBACK, port), Handler)
    made.daemon_threads = True
    return made


def _respond(handler: BaseHTTPRequestHandler, site: Site) -> None:
    host = handler.headers.get("Host", "").rsplit(":", 1)[0] if handler.headers.get("Host") else ""
    if host not in HOSTS:
        status, kind, body = HTTPStatus.MISDIRECTED_REQUEST, "text/plain; charset=utf-8", b"Wrong host.\n"
    else:
        status, kind, body = site.answer(handler.path.partition("?")[0])
    handler.send_response(status)
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Content-Security-Policy": policy(),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    if status in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE) and kind.startswith("text/"):
        headers["Refresh"] = str(REFRESH)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
