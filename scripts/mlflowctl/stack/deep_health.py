"""``GET /health/deep``: whether the server can do its work, which MLflow's own ``/health`` does not ask.

One read of the database and one look at the artifact bucket. The answer is only "ok" or "failing", since
it is open to everybody; what is wrong goes to the log. For readiness (Compose, doctor): a check that
decides whether a server is killed must not depend on the database, and uses ``/health``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlflowctl import defaults
from mlflowctl.storage.settings import S3Settings

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_log = logging.getLogger("mlflowctl.server")
PATH = "/health/deep"
LIMIT = 2.0  # seconds that each check may take
KEEP = 1.0  # seconds for which an answer is given again, so that asking cannot load the database


class Check:
    """One thing that must answer, asked in a thread of its own and never twice at once.

    Args:
        name: as the log calls it.
        ask: raises if it is not well; may block.
    """

    def __init__(self, name: str, ask: Callable[[], None]) -> None:
        self.name = name
        self._ask = ask
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"health-{name}")
        self._running: Future[str] | None = None

    async def problem(self) -> str:
        """What is wrong, "" if nothing is. One that still hangs is waited for, not asked again."""
        if self._running is None or self._running.done():
            self._running = self._threads.submit(self._say)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._running)), LIMIT)
        except TimeoutError:
            return f"{self.name} did not answer within {LIMIT:g} s"

    def _say(self) -> str:
        try:
            self._ask()
        except Exception as exc:
            words = str(exc).strip().splitlines() or [type(exc).__name__]
            return f"{self.name}: {words[0]}"
        return ""


class DeepHealth:
    """The checks of one worker, their last verdict, and the route that tells it.

    Args:
        checks: what must answer.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._problems: list[str] = []
        self._told: set[str] = set()
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def problems(self) -> list[str]:
        """What is wrong now, or was within the last :data:`KEEP` seconds."""
        if time.monotonic() >= self._until:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._look())
            await asyncio.shield(self._asking)
        return self._problems

    async def _look(self) -> None:
        found = await asyncio.gather(*(check.problem() for check in self._checks))
        failing = {check.name for check, problem in zip(self._checks, found, strict=True) if problem}
        self._problems = [problem for problem in found if problem]
        self._until = time.monotonic() + KEEP
        if failing != self._told:  # what fails, not whether: one trouble may follow another unasked
            self._told = failing
            _log.warning("deep health: %s", "; ".join(self._problems) or "ok again")

    async def endpoint(self, _request: Request) -> Response:
        """200 or 503, without any detail."""
        from starlette.responses import JSONResponse

        failing = bool(await self.problems())
        headers = {"Cache-Control": "no-store"}
        return JSONResponse({"status": "failing" if failing else "ok"}, 503 if failing else 200, headers)


def register(app: Any, environ: Mapping[str, str]) -> None:
    """Add the route to the server's FastAPI application, before the catch-all that is MLflow's Flask.

    Args:
        app: the application, before the workers are forked.
        environ: the environment that :mod:`mlflowctl.stack.tracking_server` builds.
    """
    from starlette.routing import Route

    health = DeepHealth(checks(environ))
    app.router.routes.insert(0, Route(PATH, health.endpoint, methods=["GET"]))


def checks(environ: Mapping[str, str]) -> list[Check]:
    """The checks that fit the server's environment."""
    found = [Check("database", _database(environ["_MLFLOW_SERVER_FILE_STORE"]))]
    destination = urlsplit(environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"])
    if destination.scheme == "s3":
        settings = S3Settings(
            endpoint_url=environ.get("MLFLOW_S3_ENDPOINT_URL") or None,
            region=environ.get("AWS_DEFAULT_REGION") or defaults.REGION,
            artifact_bucket=destination.netloc,
        )
        found.append(Check("object store", _bucket(settings)))
    return found


def _database(url: str) -> Callable[[], None]:
    """A login and one row, on a connection of its own: the server's may be busy, or dead and not know it."""

    def ask() -> None:
        import psycopg2

        connection = psycopg2.connect(
            url.replace("postgresql+psycopg2://", "postgresql://", 1),
            connect_timeout=int(LIMIT),
            tcp_user_timeout=int(LIMIT * 1000),
            options=f"-c statement_timeout={int(LIMIT * 1000)}",
            application_name="mlflowctl health",
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT version_num FROM alembic_version")
                cursor.fetchone()
        finally:
            connection.close()

    return ask


def _bucket(settings: S3Settings) -> Callable[[], None]:
    """One HEAD of the artifact bucket, with the credentials that the server itself uses."""
    kept: list[Any] = []  # the client: 0.2 s to build

    def ask() -> None:
        from mlflowctl.storage.client import client

        if not kept:
            kept.append(client(settings, read_timeout=LIMIT, attempts=1))
        try:
            kept[0].head_bucket(Bucket=settings.artifact_bucket)
        except BaseException:
            kept.clear()  # keys that were replaced are read again
            raise

    return ask
