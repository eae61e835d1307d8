"""``config show``: every setting of the context, and where it came from."""

from __future__ import annotations

from typing import Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.console import Console


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="What mlflowctl is aimed at, and why.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("show")(show)
    app.add_typer(group, name="config")


@command("config.show")
def show(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Show each setting with its value and its source; secrets are not shown."""
    from mlflowctl.cli.options import context_from

    chosen = context_from(context, data_dir)
    rows = chosen.settings()
    console.table(("setting", "value", "from"), [(row["name"], row["value"], row["source"]) for row in rows])
    return {"context": chosen.name, "chosen_by": chosen.chosen_by, "settings": rows}
