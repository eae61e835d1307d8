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
from mlflowctl.cli.options import context_from, print_steps, same_command
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.cloud.published import Published
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
    if target.environment:
        return _in_the_vpc(console, target.environment, ask=mend and not dry_run and not yes)
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

    raise SystemExit(inside.run(project, same_command("bootstrap", sys.argv)))


def _in_the_vpc(console: Console, found: Published, *, ask: bool) -> Any:
    """The same command in a task of the environment; there is nobody to ask in there, so it is done here."""
    from mlflowctl.cloud import inside
    from mlflowctl.errors import MlflowctlError

    command = same_command("bootstrap", sys.argv)
    if ask:
        _show(console, inside.run(found, [*command, "--dry-run"], console.progress))
        confirm("Change what --mend found?", yes=False)
        command.append("--yes")
    try:
        answer = inside.run(found, command, console.progress)
    except MlflowctlError as exc:
        _show(console, exc.result)
        raise
    _show(console, answer)
    return answer


def _show(console: Console, answer: Any) -> None:
    if not answer:
        return
    rows = [(step["action"], step["target"], step["detail"]) for step in answer["steps"]]
    console.table(("action", "target", "detail"), rows)
    todo = answer.get("to_do", answer.get("created", 0) + answer.get("changed", 0))
    console.result(f"{todo} to do." if "to_do" in answer else f"{todo} done, the rest was as it should be.")


def _answer(console: Console, outcomes: list[Any]) -> Any:
    from mlflowctl.bootstrap import attention
    from mlflowctl.plan import Action, pending

    created = sum(step.action is Action.CREATE for step in outcomes)
    changed = len(pending(outcomes)) - created
    unsupported = sum(step.action is Action.UNSUPPORTED for step in outcomes)
    questions = list(attention(outcomes))
    theirs = sum(step.action is Action.ATTENTION for step in outcomes) - len(questions)
    unchanged = len(outcomes) - created - changed - unsupported - theirs
    summary = f"{created} created, {changed} changed, {unchanged} unchanged, {unsupported} not supported here"
    summary += f", {theirs} for Terraform to mend" if theirs else ""
    answer = {"steps": [step.as_dict() for step in outcomes], "created": created, "changed": changed}
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
