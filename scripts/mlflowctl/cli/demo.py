"""``demo``: from nothing to a model in Production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mlflowctl.cli.command import DataDirOption, JsonOption, command
from mlflowctl.cli.options import layout_of
from mlflowctl.console import Console

if TYPE_CHECKING:
    from mlflowctl.stack.layout import Layout


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


@command("demo")
def demo(console: Console, data_dir: DataDirOption = None, as_json: JsonOption = False) -> Any:
    """Take real models through the lifecycle, on a stack of its own."""
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
    console.progress(f"3. Three models on real data, as {work.MODEL!r}, through the whole lifecycle")
    folder = layout.root / "demo"
    done = work.run(context, folder, console.progress)
    console.table(
        ("version", "stage", "validation", "aliases", "algorithm", "accuracy"),
        [
            (
                row["version"],
                row["stage"],
                row["validation_status"],
                ", ".join(row["aliases"]) or "-",
                row["algorithm"],
                row["holdout_accuracy"],
            )
            for row in done["versions"]
        ],
    )
    for line in _what_next(context.tracking_uri, done["url"], layout):
        console.result(line)
    return done | {"tracking_uri": context.tracking_uri}


def _what_next(uri: str, served: str, layout: Layout) -> list[str]:
    """Where to look and what to try, as it can be pasted here."""
    import shutil

    from mlflowctl.stack.layout import DEFAULT_DATA_DIR, quoted

    here = layout.root == DEFAULT_DATA_DIR.resolve()
    command = "mlflowctl" if here else f"mlflowctl --data-dir {quoted(layout.root)}"
    lines = [
        "",
        f"Look at it:  {uri}/#/models",
        f'Use it:      eval "$({command} env)", then load models:/demo-digits@champion',
        f"Ask it:      {served}/invocations   (curl -d @… as MLflow's model server wants it)",
        f"Read:        {layout.root}/demo/report-v*.html",
        f"Try next:    {command} model history demo-digits",
        f"             {command} live status demo-digits",
        f"             {command} model status",
        f"             {command} doctor",
        f"             {command} down",
    ]
    if shutil.which("mlflowctl") is None:
        lines.insert(1, "First:       source .venv/bin/activate")
    return lines
