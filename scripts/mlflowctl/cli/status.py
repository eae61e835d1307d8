"""``status``: what runs, and whether it serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mlflowctl.cli.cloud.look import how_it_is
from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.options import context_from, layout_of
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.settings import Context
    from mlflowctl.stack.layout import Layout

START = "docker compose up --detach --wait"


def register(app: typer.Typer) -> None:
    app.command("status")(status)


@command("status")
def status(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Show what runs and whether it serves. Exit 6 if something does not."""
    layout = _embedded(context, data_dir)
    if layout:
        return _embedded_status(console, layout)
    target = context_from(context, data_dir)
    if target.environment:
        return how_it_is(console, target.environment)
    if target.project is None:
        raise UsageError(
            f"What runs behind {target.describe()} cannot be seen from here.",
            state="Nothing was changed.",
            next=f"mlflowctl --context {target.name} doctor",
        )
    return _compose_status(console, target)


def _embedded(context: str | None, data_dir: Path | None) -> Layout | None:
    """The embedded stack that is meant, if it is one that is meant."""
    from mlflowctl.settings import LOCAL

    named = context or os.environ.get("MLFLOWCTL_CONTEXT")
    layout = layout_of(data_dir)
    if named == LOCAL or (named is None and (data_dir or layout.exists() or not _project_here())):
        return layout
    return None


def _project_here() -> bool:
    from mlflowctl.compose import project

    return project.find(os.environ) is not None


def _compose_status(console: Console, context: Context) -> Any:
    from mlflowctl.compose.status import status as services

    assert context.project is not None
    rows = services(context)
    console.result(f"Compose project {context.project.name} in {context.project.folder}")
    console.table(
        ("service", "state", "address", "engine says"),
        [(row.name, row.state, row.address, row.status) for row in rows],
    )
    answer = {"name": context.project.name, "services": [row.as_dict() for row in rows]}
    return _judged(answer, [f"{row.name}: {row.problem}" for row in rows if row.problem], START)


def _judged(answer: dict[str, Any], problems: list[str], mends: str) -> dict[str, Any]:
    if not problems:
        return answer
    error = FindingsError("; ".join(problems), state="See the table above.", next=mends)
    error.result = answer
    raise error


def _embedded_status(console: Console, layout: Layout) -> Any:
    from mlflowctl.bring_up import context_of, probes
    from mlflowctl.stack import status as stack_status
    from mlflowctl.stack import supervisor

    config = layout.load()
    rows = stack_status.status(layout, probes(context_of(layout)))
    supervised = supervisor.running(layout) is not None
    console.result(f"Stack {config.name} in {layout.root} (artifacts {config.artifacts})")
    console.table(
        ("component", "state", "address", "pid", "up", "memory"),
        [
            (r.name, r.state, r.address, r.pid or "-", _duration(r.uptime_seconds), _megabytes(r.memory_mb))
            for r in rows
        ],
    )
    problems = [f"{row.name}: {row.problem or 'stopped'}" for row in rows if row.state != "serving"]
    if not supervised and any(row.pid for row in rows):
        problems.append("the supervisor is gone, so nothing that dies is started again")
    answer = {
        "name": config.name,
        "data_dir": str(layout.root),
        "artifacts": config.artifacts,
        "supervised": supervised,
        "components": [row.as_dict() for row in rows],
    }
    return _judged(answer, problems, "mlflowctl up")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def _megabytes(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} MB"
