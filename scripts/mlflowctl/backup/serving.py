"""Keeping the server away from data that is being replaced, wherever it runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from mlflowctl.backup.progress import Tell
from mlflowctl.errors import ConflictError, MlflowctlError, UnavailableError
from mlflowctl.settings import Context
from mlflowctl.stack import health, hold, supervisor
from mlflowctl.stack.layout import Layout

START_TIMEOUT = 180.0  # seconds


class Server(Protocol):
    """The MLflow server of a stack that is restored."""

    def look(self) -> None:
        """Before any work. Raises ConflictError if the server serves and cannot be stopped from here."""

    def closed(self) -> contextlib.AbstractContextManager[None]:
        """The server is down for the block, and starts afterwards if it is this command's to start."""

    def serves(self) -> bool:
        """After the block: wait until it answers; False if it is not this command's to start.

        Raises:
            UnavailableError: it does not come up.
        """


def server_of(context: Context, tell: Tell) -> Server:
    """The server of a context."""
    return Embedded(context, context.layout, tell) if context.layout else Elsewhere(context)


class Embedded:
    """Of the embedded stack: held, and started again by the supervisor."""

    def __init__(self, context: Context, layout: Layout, tell: Tell) -> None:
        self.context, self.layout, self.tell = context, layout, tell

    def look(self) -> None:
        """It is stopped when the time comes."""

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        self.tell("Stopping the server")
        with hold.held(self.layout, "mlflow"):
            yield
        self.tell("Starting the server")

    def serves(self) -> bool:
        if supervisor.running(self.layout) is None:
            return False
        until(lambda: health.tracking_server(self.context.tracking_uri, login=self.context.login))
        return True


class Elsewhere:
    """In a container or on another machine: whoever runs the restore must have stopped it."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def look(self) -> None:
        try:
            health.tracking_server(self.context.tracking_uri, login=self.context.login, timeout=5)
        except UnavailableError:
            pass
        except MlflowctlError:
            raise self._serves() from None  # it answered
        else:
            raise self._serves()

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        self.look()
        yield

    def serves(self) -> bool:
        return False

    def _serves(self) -> ConflictError:
        return ConflictError(
            f"The MLflow server at {self.context.tracking_uri} serves from the data that is to be replaced.",
            state="Nothing was replaced.",
            next="Stop it, restore, and start it again.",
        )


def until(probe: Callable[[], object], timeout: float = START_TIMEOUT) -> None:
    """Wait until a probe passes; raises what it raised last when ``timeout`` seconds are over."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            probe()
            return
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
