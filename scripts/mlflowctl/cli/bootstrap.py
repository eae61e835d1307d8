"""``bootstrap``: making database, guard and buckets what a registry needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

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
from mlflowctl.cli.options import context_from, print_steps
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.compose.project import Project


def register(app: typer.Typer) -> None:
    app.command("bootstrap")(bootstrap)


@command("bootstrap")
def bootstrap(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    mend: Annotated[
        bool, typer.Option("--mend", help="Also repair duplicates and drift in the registry; asks first.")
    ] = False,
    guard_level: Annotated[
        str | None,
        typer.Option(
            "--guard-level",
            metavar="exactly-one|at-most-one",
            help="How strict the guard is; default: as it is, exactly-one at first.",
        ),
    ] = None,
    several_challengers: Annotated[
        bool | None,
        typer.Option(
            "--several-challengers/--one-challenger",
            help="Whether a model may have several versions in Staging; default: as it is, one at first.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Make database, guard and buckets what a registry needs."""
    from mlflowctl import bootstrap as work

    if guard_level is not None and guard_level not in work.LEVELS:
        raise UsageError(
            f"--guard-level is exactly-one or at-most-one, not {guard_level!r}.",
            state="Nothing was changed.",
            next="mlflowctl bootstrap --help",
        )
    target = context_from(context, data_dir)
    options = work.BootstrapOptions(
        mend=mend, level=work.LEVELS.get(guard_level or ""), several_challengers=several_challengers
    )
    console.progress(f"Target: {target.describe()}")
    if target.project:
        _in_the_project(target.project)
    steps = work.plan(target, options)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    if mend and any(work.mends(step) for step in steps):
        print_steps(console, [step for step in steps if work.mends(step)], exit_code=False)
        confirm("Change these versions and aliases?", yes=yes)
    outcomes = work.execute(
        steps,
        target,
        lambda step: console.progress(f"  {step.action:<18} {step.target}  {step.detail}".rstrip()),
    )
    return _answer(console, outcomes)


def _in_the_project(project: Project) -> NoReturn:
    """The same command in a container of the project, where its database can be reached."""
    from mlflowctl.compose import inside

    raise SystemExit(inside.run(project, inside.same_command("bootstrap", sys.argv)))


def _answer(console: Console, outcomes: list[Any]) -> Any:
    from mlflowctl.bootstrap import attention
    from mlflowctl.plan import Action, pending

    created = sum(step.action is Action.CREATE for step in outcomes)
    changed = len(pending(outcomes)) - created
    unsupported = sum(step.action is Action.UNSUPPORTED for step in outcomes)
    unchanged = len(outcomes) - created - changed - unsupported
    summary = f"{created} created, {changed} changed, {unchanged} unchanged, {unsupported} not supported here"
    answer = {"steps": [step.as_dict() for step in outcomes], "created": created, "changed": changed}
    questions = list(attention(outcomes))
    if questions:
        error = FindingsError(
            "; ".join(f"{step.target}: {step.detail}" for step in questions),
            state=f"Everything else is done ({summary}).",
            next="mlflowctl bootstrap --mend   (shows what it would change, and asks)",
        )
        error.result = answer
        raise error
    console.result(f"Bootstrapped: {summary}." if created + changed else f"Nothing to do ({summary}).")
    return answer
