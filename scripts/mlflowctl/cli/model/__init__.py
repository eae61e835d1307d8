"""``mlflowctl model …``: one file per kind of command."""

from __future__ import annotations

import typer

from mlflowctl.cli.command import EXIT_CODES
from mlflowctl.cli.model import decide, lifecycle, live, look, mend


def register(app: typer.Typer) -> None:
    """Add the group to the command line, its commands in the order of the lifecycle."""
    group = typer.Typer(
        help="The lifecycle of models, from registration to rollback.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    for name, function in (
        ("register", lifecycle.register),
        ("stage", lifecycle.stage),
        ("validate", decide.validate),
        ("approve", lifecycle.approve),
        ("plan", decide.plan),
        ("apply", decide.apply),
        ("promote", decide.promote),
        ("rollback", mend.rollback),
        ("traffic", live.traffic),
        ("serving", live.serving),
        ("archive", lifecycle.archive),
        ("retire", lifecycle.retire),
        ("freeze", lifecycle.freeze),
        ("unfreeze", lifecycle.unfreeze),
        ("status", look.status),
        ("history", look.history),
        ("champion", look.champion),
        ("explain", look.explain),
        ("reconcile", mend.reconcile),
        ("audit", look.audit),
    ):
        group.command(name)(function)
    app.add_typer(group, name="model")
