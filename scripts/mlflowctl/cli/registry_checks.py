"""``bootstrap``, ``smoke-test``, ``doctor``, ``demo``: making a registry ready, and proving it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, DryRunOption, JsonOption, YesOption, command
from mlflowctl.console import Console


def register(app: typer.Typer) -> None:
    app.command("bootstrap")(bootstrap)


@command("bootstrap")
def bootstrap(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Repair duplicates and drift in the registry (asks first).")
    ] = False,
    guard_level: Annotated[
        str, typer.Option("--guard-level", metavar="exactly-one|at-most-one", help="How strict the guard is.")
    ] = "exactly-one",
    several_challengers: Annotated[
        bool, typer.Option("--several-challengers", help="Allow a model more than one version in Staging.")
    ] = False,
    dry_run: DryRunOption = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="With --dry-run: exit 6 if there is something to do.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Bring database, guard and buckets to the state that a registry needs."""
