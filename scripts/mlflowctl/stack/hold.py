"""Keeping a component from starting while its data is replaced.

A hold names the process that holds it, so it ends with that process, however that ends: nothing has to be
cleaned up after a kill -9, and the supervisor's next start simply goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from mlflowctl.stack import processes
from mlflowctl.stack.layout import Layout

PATIENCE = 40.0  # seconds that the component may take to end its requests; more than its own 20
POLL = 0.1


def file(layout: Layout, component: str) -> Path:
    return layout.run / f"{component}.hold"


def wait_while_held(layout: Layout, component: str) -> None:
    """Called by the component before it starts."""
    said = False
    while processes.recorded(file(layout, component)) is not None:
        if not said:
            print(f"{component} waits: its data is being replaced", flush=True)
            said = True
        time.sleep(POLL)


@contextlib.contextmanager
def held(layout: Layout, component: str) -> Iterator[None]:
    """End the component and keep it from starting for the block; the supervisor starts it afterwards."""
    processes.record(file(layout, component))
    try:
        end(layout, component)
        yield
    finally:
        file(layout, component).unlink(missing_ok=True)


def end(layout: Layout, component: str) -> None:
    """End a component; a supervisor that runs starts it again."""
    from mlflowctl.stack import supervisor

    process = supervisor.components(layout)[component]
    if process is not None:
        processes.end([process], signal=supervisor.STOP_SIGNALS[component], patience=PATIENCE)
