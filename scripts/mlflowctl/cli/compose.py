"""``compose init``: what a Compose project needs before its first start."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlflowctl.cli.command import DryRunOption, ExitCodeOption, JsonOption, UnaskedYesOption, command
from mlflowctl.cli.options import print_steps
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

compose = typer.Typer(
    name="compose",
    help="What Docker Compose needs before its first start.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    app.add_typer(compose)


@compose.command("init")
@command("compose.init")
def init(
    console: Console,
    auto_ports: Annotated[
        bool, typer.Option("--auto-ports", help="Take free ports where 5000 or 9000 are taken.")
    ] = False,
    project: Annotated[
        str | None,
        typer.Option(
            "--project", metavar="NAME", help="In front of containers and volumes; default: the folder's."
        ),
    ] = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Write .env and secrets/ of the Compose project here. What exists is never overwritten."""
    import os

    from mlflowctl.compose import init as work
    from mlflowctl.compose import project as projects
    from mlflowctl.plan import pending

    found = projects.find(os.environ)
    if found is None:
        raise UsageError(
            f"There is no Compose project of ours here: no {projects.FILE} in this folder or above.",
            state="Nothing was changed.",
            next="cd to the folder of the project",
        )
    steps = work.plan(found, work.InitOptions(auto_ports=auto_ports, name=project or ""))
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    for step in pending(steps):
        work.apply(step, found)
        console.progress(f"  {step.action:<9} {step.target}  {step.detail}".rstrip())
    return _answer(console, steps)


def _answer(console: Console, steps: list[Any]) -> Any:
    import os

    from mlflowctl.compose import project as projects
    from mlflowctl.plan import pending

    made = projects.find(os.environ)
    assert made is not None
    created = len(pending(steps))
    console.result(
        f"The Compose project {made.name} in {made.folder} is set up ({created} made)."
        if created
        else f"Nothing to do: the Compose project {made.name} in {made.folder} is set up."
    )
    console.result(f"  MLflow    http://{projects.HOST}:{made.tracking_port}")
    console.result("  login     admin, password in secrets/mlflow-admin.password")
    console.result("  keep      a copy of secrets/ in a safe place: the data cannot be opened without")
    console.result(f"  next      {_next(steps)}")
    return {
        "steps": [step.as_dict() for step in steps],
        "created": created,
        "project": made.name,
        "folder": str(made.folder),
        "tracking_port": made.tracking_port,
        "s3_port": made.s3_port,
    }


def _next(steps: list[Any]) -> str:
    """Containers hold on to the file that a replaced secret was, until they are made anew."""
    from mlflowctl.compose.init import EnvStep
    from mlflowctl.plan import pending

    repaired = pending(steps) and not any(isinstance(step, EnvStep) for step in pending(steps))
    return "docker compose up --wait" + (" --force-recreate" if repaired else "")
