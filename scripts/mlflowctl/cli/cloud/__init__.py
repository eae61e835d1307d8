"""``mlflowctl cloud …``: Terraform for an environment in AWS, one file per kind of command."""

from __future__ import annotations

import typer

from mlflowctl.cli.cloud import change, look, prepare, undo
from mlflowctl.cli.command import EXIT_CODES


def register(app: typer.Typer) -> None:
    """Add the group to the command line, its commands in the order of an environment's life."""
    group = typer.Typer(
        help="An environment in AWS, from an empty account to its end.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for name, function in (
        ("backend", prepare.backend),
        ("init", prepare.init),
        ("plan", change.plan),
        ("apply", change.apply),
        ("output", look.output),
        ("status", look.status),
        ("restore", undo.restore),
        ("destroy", undo.destroy),
    ):
        group.command(name)(function)
    app.add_typer(group, name="cloud")
