"""Waiting for what bootstrap needs: a database that accepts the admin, an object store that answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from mlflowctl.errors import UnavailableError
from mlflowctl.settings import Context
from mlflowctl.stack import health

LIMIT = 60.0
PAUSE = 0.5


def for_platform(context: Context, say: Callable[[str], None], *, limit: float = LIMIT) -> None:
    """Return when database and object store answer.

    Args:
        context: what to wait for; a part that it does not name is not waited for.
        say: called once with each different reason for waiting.
        limit: seconds.

    Raises:
        UnavailableError: something did not answer within the limit.
        AccessError: something answered and refused; waiting would not help.
    """
    until = time.monotonic() + limit
    database, s3 = context.database, context.s3
    if database is not None:
        _wait(lambda: health.database(database), say, until)
    if s3 is not None and s3.owned:
        _wait(lambda: health.object_store(s3), say, until)


def _wait(probe: Callable[[], None], say: Callable[[str], None], until: float) -> None:
    said = ""
    while True:
        try:
            probe()
        except UnavailableError as exc:
            if time.monotonic() > until:
                raise
            if exc.what != said:
                said = exc.what
                say(f"Waiting: {said}")
            time.sleep(PAUSE)
        else:
            return
