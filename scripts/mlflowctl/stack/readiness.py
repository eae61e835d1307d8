"""Waiting until a started stack serves, and bringing database and buckets to order on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from mlflowctl.errors import MlflowctlError, UnavailableError
from mlflowctl.stack import health, supervisor
from mlflowctl.stack.layout import Layout, quoted

START_TIMEOUT = 180.0  # seconds; a first start on a slow disk takes a good part of it
Work = Callable[[], None]
Report = Callable[[str, float], None]  # component, seconds since the start


class NotReadyError(UnavailableError):
    """A component did not become ready."""

    code = "not_ready"


class _Abandoned(Exception):
    """Nobody waits for this stage any more: another one failed, or Ctrl-C was pressed."""


@dataclass(frozen=True)
class Stage:
    """One component's way to service: the probe that must pass, then the work that it makes possible."""

    component: str
    probe: Work
    then: Work


def run(layout: Layout, stages: list[Stage], report: Report, *, began: float) -> None:
    """Run all stages side by side; report each when it is through.

    Raises:
        MlflowctlError: the first stage that failed; the processes are left running.
    """
    pool = ThreadPoolExecutor(max_workers=len(stages))
    deadline, stop = began + START_TIMEOUT, threading.Event()
    futures = [pool.submit(_one, layout, stage, report, began, deadline, stop) for stage in stages]
    try:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        _raise_first(list(done))
    finally:
        stop.set()  # else the process would not end before what is still waited for
        pool.shutdown(wait=False, cancel_futures=True)


def _raise_first(done: list[Future[None]]) -> None:
    for future in done:
        if error := future.exception():
            raise error


def _one(
    layout: Layout, stage: Stage, report: Report, began: float, deadline: float, stop: threading.Event
) -> None:
    _await(layout, stage, deadline, stop)
    stage.then()
    report(stage.component, time.monotonic() - began)


def _await(layout: Layout, stage: Stage, deadline: float, stop: threading.Event) -> None:
    """Poll the probe; give up at the deadline, or when the component keeps dying."""
    seen: set[int] = set()
    while True:
        try:
            stage.probe()
            return
        except UnavailableError as exc:
            last: MlflowctlError = exc
        process = supervisor.components(layout)[stage.component]
        if process is not None:
            seen.add(process.pid)
        if len(seen) > 5 or time.monotonic() > deadline:
            why = "keeps dying" if len(seen) > 5 else f"is not ready after {START_TIMEOUT:.0f} s"
            raise NotReadyError(
                f"{stage.component} {why}: {_last_words(layout, stage.component) or last.what}",
                state="The supervisor goes on trying; what serves already keeps serving.",
                next=f"mlflowctl logs {stage.component} --data-dir {quoted(layout.root)}",
            )
        if stop.wait(0.1):
            raise _Abandoned


def _last_words(layout: Layout, component: str) -> str:
    try:
        lines = layout.log(component).read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    telling = [
        line for line in lines[-50:] if any(word in line for word in ("FATAL", "rror", "panic", "refused"))
    ]
    return (telling or lines or [""])[-1][:300]


__all__ = ["START_TIMEOUT", "NotReadyError", "Stage", "health", "run"]
