"""``mlflowctl live …``: a challenger tested on live traffic."""

from __future__ import annotations

import typer

from mlflowctl.cli.command import EXIT_CODES
from mlflowctl.cli.live import intake, look, report, run


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = typer.Typer(
        help="Live tests: the challenger on real requests, watched.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("run")(run.run)
    group.command("status")(look.status)
    group.command("page")(look.page)
    group.command("report")(report.report)
    group.command("intake")(intake.intake)
    app.add_typer(group, name="live")
