"""``demo``: from nothing to a model in Production."""

from __future__ import annotations

from typing import Any

import typer

from mlflowctl.cli.command import DataDirOption, JsonOption, command
from mlflowctl.cli.options import layout_of
from mlflowctl.console import Console


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


@command("demo")
def demo(console: Console, data_dir: DataDirOption = None, as_json: JsonOption = False) -> Any:
    """Start the stack, prove it, train two models on real data, and promote the better one."""
    from mlflowctl import demo as work
    from mlflowctl.bring_up import bring_up
    from mlflowctl.cli.smoke import run_and_report
    from mlflowctl.stack.up import UpOptions

    layout = layout_of(data_dir)
    console.progress(f"1. The stack in {layout.root}")
    context, _, _ = bring_up(
        layout,
        UpOptions(auto_ports=True),
        lambda name, seconds: console.progress(f"  {name:<13} ready after {seconds:5.1f} s"),
    )
    console.progress("2. Smoke test")
    run_and_report(console, context)
    console.progress(f"3. Two models on real data, registered as {work.MODEL!r}")
    rows = work.run(context, console.progress)
    console.table(
        ("version", "stage", "validation", "aliases", "algorithm", "ROC AUC"),
        [
            (
                row["version"],
                row["stage"],
                row["validation_status"],
                ", ".join(row["aliases"]) or "-",
                row["algorithm"],
                row["holdout_roc_auc"],
            )
            for row in rows
        ],
    )
    for line in _what_next(context.tracking_uri, str(layout.root)):
        console.result(line)
    return {"model": work.MODEL, "versions": rows, "tracking_uri": context.tracking_uri}


def _what_next(uri: str, data_dir: str) -> list[str]:
    return [
        "",
        f"Look at it:    {uri}/#/models",
        f"Use it:        MLFLOW_TRACKING_URI={uri}   models:/demo-breast-cancer@champion",
        f"Try next:      mlflowctl status --data-dir {data_dir}",
        "               mlflowctl doctor",
        "               mlflowctl down",
    ]
