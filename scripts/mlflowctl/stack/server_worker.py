"""The gunicorn worker of the MLflow server: uvicorn, with no more threads than one interpreter can use."""

from __future__ import annotations

from uvicorn_worker import UvicornWorker

from mlflowctl import defaults


class ServerWorker(UvicornWorker):  # type: ignore[misc]
    """Runs MLflow's handlers in ``defaults.SERVER_THREADS`` threads instead of AnyIO's 40.

    Forty threads queue on one interpreter lock (32 clients got fewer answers per second than 8), open
    and close more database connections than the pool keeps, and can stop each other altogether:
    log_batch takes a second connection while it holds its first, so 15 at once on a pool of 15 wait
    for one another until the pool gives up after 30 s and answers HTTP 400.
    """

    async def _serve(self) -> None:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = defaults.SERVER_THREADS
        await super()._serve()
