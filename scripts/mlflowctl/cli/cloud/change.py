"""``cloud plan`` and ``cloud apply``: what is shown is what is carried out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.cloud.common import (
    ConfirmOption,
    EnvironmentOption,
    dry,
    environment_of,
    planned,
    refuse_losses,
    show,
)
from mlflowctl.cli.command import DryRunOption, ExitCodeOption, JsonOption, YesOption, command, confirm
from mlflowctl.console import Console

if TYPE_CHECKING:
    from mlflowctl.cloud.workbench import Plan, Workbench
    from mlflowctl.plan import Step


@command("cloud.plan")
def plan(
    console: Console,
    context: EnvironmentOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", dir_okay=False, help="Keep the plan for apply --plan FILE."),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 6 if there is something to do.")
    ] = False,
    as_json: JsonOption = False,
) -> Any:
    """Show what apply would change."""
    from mlflowctl.cloud import gates
    from mlflowctl.cloud.workbench import Workbench

    environment = environment_of(console, context)
    made = Workbench(environment, console.progress).plan(out=out)
    before = gates.plan(made)
    show(console, made, before)
    result = planned(made, before, file=str(made.file) if out else None)
    again = f"mlflowctl cloud apply --context {environment.name}" + (f" --plan {out}" if out else "")
    if made.steps:
        console.result(f"  next  {again}")
    return dry(result, exit_code=exit_code, next=again)


@command("cloud.apply")
def apply(
    console: Console,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", dir_okay=False, help="Carry out this saved plan."),
    ] = None,
    confirmed: ConfirmOption = None,
    context: EnvironmentOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Show the plan, ask, and carry out exactly that."""
    from mlflowctl.cloud import gates
    from mlflowctl.cloud.workbench import Workbench

    environment = environment_of(console, context)
    bench = Workbench(environment, console.progress)
    made = bench.read(plan_file) if plan_file else bench.plan()
    before = gates.plan(made)
    show(console, made, before)
    again = f"mlflowctl cloud apply --context {environment.name}"
    if dry_run:
        return dry(planned(made, before), exit_code=exit_code, next=again)
    if made.steps:
        refuse_losses(made, confirmed, again)
        confirm(f"Apply this to {environment.title}?", yes=yes)
    return carry_out(console, bench, made, before)


def carry_out(console: Console, bench: Workbench, made: Plan, before: list[Step]) -> dict[str, Any]:
    """Carry out a plan that was shown and confirmed; what ``--json`` prints about it."""
    from mlflowctl.cloud import gates

    name = made.environment.name
    if made.steps:
        gates.execute(before, console.progress)
        bench.apply(made)
        console.result(f"Applied to {made.environment.title}.")
    url = str(bench.outputs().get("url", {}).get("value", ""))
    console.result(f"  MLflow  {url}")
    console.result(f"  next    mlflowctl cloud status --context {name}")
    steps = [*before, *made.steps]
    return {
        "environment": name,
        "steps": [step.as_dict() for step in steps],
        "changed": len(made.steps),
        "url": url,
    }
