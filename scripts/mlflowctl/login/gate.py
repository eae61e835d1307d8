"""The gate: MLflow's login says who somebody is, the gate says whether the role is enough.

It stands twice, because MLflow's server is two applications: in Flask for nearly everything, and in front of
the routes that FastAPI serves by itself (artifacts, traces). MLflow's own checks follow.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from mlflow.exceptions import MlflowException
from mlflow.server import auth
from mlflow.server.handlers import catch_mlflow_exception
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware

from mlflowctl.login import frozen, operations, rules
from mlflowctl.login.refusals import Refusal
from mlflowctl.login.roles import Level
from mlflowctl.login.store import Identity, LoginStore

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

ARTIFACTS = "/mlflow-artifacts/artifacts/"
REGISTRY = ("/mlflow/registered-models/", "/mlflow/model-versions/")
OPEN = ("/health", "/static", "/favicon.ico")
CHALLENGE = (b"www-authenticate", b'Basic realm="mlflow"')


def install(flask_app: Flask, app: FastAPI) -> None:
    """Put the gate in front of MLflow's own checks, in both applications."""
    flask_app.before_request_funcs.setdefault(None, []).insert(0, before_request)
    flask_app.after_request(after_request)
    is_native = _router(app)
    _spare_flask(app, is_native)
    app.add_middleware(NativeGate, is_native=is_native)


def _router(app: FastAPI) -> Callable[[str, str], bool]:
    """Whether FastAPI serves a request by itself: its own router's answer, remembered."""
    native, matches = auth._native_fastapi_routes(app), auth._scope_matches_native_route

    @functools.lru_cache(maxsize=4096)
    def is_native(method: str, path: str) -> bool:
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        return bool(matches(native, scope))

    return is_native


@catch_mlflow_exception  # type: ignore[untyped-decorator]
def before_request() -> Response | None:
    """Flask's half; None lets the request pass to MLflow's checks, which also answer whoever is nobody."""
    if request.url_rule is None or auth.is_unprotected_route(request.path):
        return None
    authorization = auth.authenticate_request()
    found = None if isinstance(authorization, Response) else _store().identify(authorization.username)
    if found is None or found.level is Level.ADMIN:
        return None
    rule = request.url_rule.rule
    needs = operations.required(request.method, rule)
    if found.level < needs:
        refusal: Refusal | None = Refusal(needs, _doing(request.method, rule))
    else:
        refusal = rules.check(request, found.level)
    return Response(_body(refusal, found), 403, mimetype="application/json") if refusal else None


def after_request(response: Response) -> Response:
    """Say of a model that does not exist that it does not exist.

    MLflow says "Permission denied", since nobody was granted it; to people who may read every model that is
    a riddle, and to programs it is no 404.
    """
    refused = response.status_code == 403 and response.get_data() == b"Permission denied"
    if not refused or request.url_rule is None:
        return response
    route = operations.canonical(request.url_rule.rule)
    name = (request.get_json(silent=True) or {}).get("name") or request.args.get("name")
    if not route.startswith(REGISTRY) or not isinstance(name, str) or frozen.model_exists(name):
        return response
    text = f"Registered Model with name={name} not found"
    body = json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": text})
    return Response(body, 404, mimetype="application/json")


def _doing(method: str, rule: str) -> str:
    return f"{method} {operations.canonical(rule).removeprefix('/mlflow/')}"


def _store() -> LoginStore:
    store: LoginStore = auth.store
    return store


def _body(refusal: Refusal, found: Identity) -> bytes:
    text = refusal.text(found.user.username, found.level)
    return json.dumps({"error_code": "PERMISSION_DENIED", "message": text}).encode()


def _spare_flask(app: FastAPI, is_native: Callable[[str, str], bool]) -> None:
    """Keep MLflow's checks of FastAPI's own routes away from requests that only pass through to Flask.

    They have nothing to say about those (Flask's checks do), and cost each of them a millisecond.
    """
    for place, one in enumerate(app.user_middleware):
        dispatch = one.kwargs.get("dispatch")
        if getattr(dispatch, "__name__", "") == "fastapi_permission_middleware":
            app.user_middleware[place] = Middleware(ForNative, dispatch=dispatch, is_native=is_native)
            return
    raise RuntimeError("This MLflow release checks FastAPI's own routes in another way.")


class ForNative:
    """A middleware that only requests to FastAPI's own routes go through."""

    def __init__(self, app: ASGIApp, dispatch: Any, is_native: Callable[[str, str], bool]) -> None:
        self.app = app
        self.checked = BaseHTTPMiddleware(app, dispatch=dispatch)
        self.is_native = is_native

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        through = scope["type"] == "http" and self.is_native(scope["method"], scope["path"])
        await (self.checked if through else self.app)(scope, receive, send)


class NativeGate:
    """FastAPI's half."""

    def __init__(self, app: ASGIApp, is_native: Callable[[str, str], bool]) -> None:
        self.app = app
        self.is_native = is_native

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.is_native(scope["method"], scope["path"]):
            status, body = await asyncio.to_thread(_judge, scope)
            if status != 200:
                await _answer(send, status, body)
                return
        await self.app(scope, receive, send)


def _judge(scope: Scope) -> tuple[int, bytes]:
    """Status and body of the refusal; 200 to let it pass."""
    path, method = str(scope["path"]), str(scope["method"])
    if path.startswith(OPEN):
        return 200, b""
    found = _sender(scope)
    if found is None:
        return 401, b'{"error_code": "UNAUTHENTICATED", "message": "You are not authenticated."}'
    refusal = None if found.level is Level.ADMIN else _refusal(found.level, method, path)
    return (403, _body(refusal, found)) if refusal else (200, b"")


def _refusal(level: Level, method: str, path: str) -> Refusal | None:
    needs = operations.required_natively(method, path)
    if level < needs:
        return Refusal(needs, _doing(method, path))
    if method != "PUT" or ARTIFACTS not in path:
        return None
    try:
        return rules.artifact(path.split(ARTIFACTS, 1)[1])
    except MlflowException:  # an unsafe path; MLflow's handler says so
        return None


def _sender(scope: Scope) -> Identity | None:
    """Who sends the request, if name and password are right."""
    header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    scheme, _, credentials = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, _, password = base64.b64decode(credentials).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return _store().identify(name) if _store().authenticate_user(name, password) else None


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [CHALLENGE] if status == 401 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
