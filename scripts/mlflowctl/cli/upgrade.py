"""``upgrade``: from the release that runs to the one that is installed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlflowctl.cli.command import (
    ContextOption,
    DataDirOption,
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    YesOption,
    command,
    confirm,
)
from mlflowctl.cli.options import context_to_change, print_steps
from mlflowctl.console import Console


def register(app: typer.Typer) -> None:
    app.command("upgrade")(upgrade)


@command("upgrade")
def upgrade(
    console: Console,
    backup_to: Annotated[
        str | None,
        typer.Option(
            "--backup-to",
            metavar="DIR|s3://BUCKET/PREFIX",
            help="Where the backup goes; default: backups in the stack's folder.",
        ),
    ] = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Bring a running stack to the installed release. A backup comes first."""
    from mlflowctl import upgrade as work

    target = context_to_change(console, context, data_dir)
    to = backup_to or work.default_place(target)
    platform = work.platform_of(target, to)
    steps = work.plan(platform, to)
    if dry_run or not steps:
        answer = print_steps(console, steps, exit_code=exit_code)
        return answer if dry_run else {"steps": [], "backup": None, "set": None}
    if not yes and not console.as_json:
        print_steps(console, steps, exit_code=False)
    confirm(f"Upgrade {platform.name}? Clients wait some seconds while the server restarts.", yes=yes)
    done = work.execute(platform, steps, to, console.progress)
    console.result(f"Upgraded {platform.name}. The backup from before it: {done.to}, set {done.set}")
    return done.as_dict()
