"""``live status`` and ``live page``: looking at a live test. Nothing here changes anything."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.model.common import ModelArgument, desk_for
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

WATCH_EVERY = 2.0  # seconds


@command("live.status")
def status(
    console: Console,
    name: ModelArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Show who gets which share, the metrics with their intervals, and what comes next."""
    from mlflowctl.live import report

    if watch and as_json:
        raise UsageError(
            "--watch and --json exclude each other: --json prints one object.",
            state="Nothing was changed.",
            next="mlflowctl live status --help",
        )
    desk = desk_for(context, data_dir)
    while True:
        found = report.status(desk, name)
        _print(console, found)
        if not watch:
            return found
        time.sleep(WATCH_EVERY)
        console.result("")


def _print(console: Console, found: dict[str, Any]) -> None:
    from mlflowctl.live import lines
    from mlflowctl.registry.evidence.plain import one_line

    for line in lines.summary(found):
        console.result(line)
    rows = lines.metrics(found)
    if rows:
        console.table(("metric", "champion", "challenger", "difference", "verdict", "why"), rows)
    if found["history"]:
        console.table(
            ("entry", "at", "what", "versions", "who", "reason"),
            [
                (
                    row["entry"],
                    f"{row['at'][:19]}Z",
                    row["what"],
                    row["versions"],
                    one_line(row["by"], 40),
                    one_line(row["reason"]) or "-",
                )
                for row in found["history"][:10]
            ],
        )
    for remark in found["remarks"]:
        console.result(one_line(remark))


@command("live.page")
def page(
    console: Console,
    name: ModelArgument,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0 for any free one.")
    ] = 8090,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Show a live test on a page of this machine, until Ctrl-C. It reads only."""
    from mlflowctl.live import page as work
    from mlflowctl.live import report
    from mlflowctl.live.running import interruptible

    desk = desk_for(context, data_dir)
    report.status(desk, name)  # a wrong name is told here, not on the page
    try:
        made = work.server(desk, name, port)
    except OSError as exc:
        raise UsageError(
            f"The page cannot listen on 127.0.0.1:{port}: {exc.strerror or exc}.",
            state="Nothing was started.",
            next="Name another port: --port 0 takes any free one.",
        ) from None
    address = f"http://{work.LOOPBACK}:{made.server_port}/"
    console.progress(f"{address}   Ctrl-C ends it.")
    import threading

    with interruptible() as stop:
        threading.Thread(target=made.serve_forever, daemon=True, name="page").start()
        while not stop.wait(1.0):
            pass
        made.shutdown()
        made.server_close()
    return {"model": name, "url": address}
