"""What runs, since when, and whether it really serves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from mlflowctl.errors import MlflowctlError
from mlflowctl.stack import health, supervisor
from mlflowctl.stack.layout import COMPONENTS, Layout


@dataclass(frozen=True)
class ComponentStatus:
    """One row of ``status``.

    Attributes:
        name: the component.
        state: ``serving``, ``running`` (a process, but its probe fails), ``stopped``.
        pid: of its main process.
        uptime_seconds: of that process.
        memory_mb: memory of it and its descendants, shared pages counted once where the system tells.
        address: where it listens.
        problem: why it does not serve.
    """

    name: str
    state: str
    pid: int | None
    uptime_seconds: float | None
    memory_mb: float | None
    address: str
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def status(layout: Layout, probes: dict[str, Callable[[], None]]) -> list[ComponentStatus]:
    """Probe every component.

    Args:
        layout: the stack.
        probes: a probe per component that raises unless it serves.
    """
    config = layout.load()
    alive = supervisor.components(layout)
    rows = []
    for name in COMPONENTS:
        process = alive[name]
        address = f"127.0.0.1:{config.ports.public()[name]}"
        if process is None:
            rows.append(ComponentStatus(name, "stopped", None, None, None, address))
            continue
        problem = _problem(probes[name])
        rows.append(
            ComponentStatus(
                name=name,
                state="running" if problem else "serving",
                pid=process.pid,
                uptime_seconds=round(time.time() - process.create_time(), 1),
                memory_mb=_memory(process),
                address=address,
                problem=problem,
            )
        )
    return rows


def _problem(probe: Callable[[], None]) -> str:
    try:
        probe()
    except MlflowctlError as exc:
        return exc.what
    return ""


def _memory(process: Any) -> float:
    import psutil

    from mlflowctl.stack.processes import family

    total = 0
    for member in family(process):
        try:
            # Proportional: pages that forked workers share count once. Only Linux tells.
            whole = member.memory_full_info()
            total += getattr(whole, "pss", whole.rss)
        except psutil.Error:
            continue
    return round(total / 1e6, 1)


__all__ = ["ComponentStatus", "health", "status"]
