"""``backup``, ``backup verify`` and ``restore``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.command import (
    ContextOption,
    DataDirOption,
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    UnaskedYesOption,
    command,
)
from mlflowctl.cli.options import context_from, context_to_change, layout_of, print_steps
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.backup.restore import Plan, Restored
    from mlflowctl.settings import Context

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DIR|s3://BUCKET/PREFIX", help="Where the sets are.")
]
SetOption = Annotated[
    str | None,
    typer.Option("--set", metavar="TIME", help="Which set: its name or how it begins; default: the newest."),
]
MARKS = {"ok": "ok", "failed": "FAILED", "note": "note"}


def register(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True)
    group.callback()(backup)
    group.command("verify")(verify)
    app.add_typer(group, name="backup")
    app.command("restore")(restore)


@command("backup")
def backup(
    console: Console,
    invocation: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", metavar="DIR|s3://BUCKET/PREFIX", help="Where the sets are kept.")
    ] = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Copy the database and every object into a set. Only what is new is copied."""
    if invocation.invoked_subcommand:
        return None
    from mlflowctl.backup import make, places
    from mlflowctl.backup.progress import human

    if to is None:
        raise UsageError(
            "Missing option '--to'.", state="Nothing was copied.", next="mlflowctl backup --help"
        )
    target = context_from(context, data_dir)
    console.progress(f"Backing up {target.describe()} to {to}")
    if target.project:
        from mlflowctl.compose import moving

        raise SystemExit(moving.backup(target.project, to, _flags(dry_run, exit_code, as_json)))
    place = places.place(to)
    if dry_run:
        return print_steps(console, make.plan(target, place), exit_code=exit_code)
    made = make.execute(target, place, console.progress)
    answer = made.as_dict()
    console.result(
        f"Set {answer['set']}: {answer['rows']:,} rows, {answer['objects']:,} objects, "
        f"{human(answer['bytes'])}; {answer['copied']:,} objects were new ({made.seconds:.1f} s)."
    )
    for key in made.end.vanished:
        console.result(f"  deleted meanwhile, not in the set: {key}")
    console.result(f"  next      mlflowctl backup verify --from {places.pasted(to)}")
    return answer


@command("backup.verify")
def verify(
    console: Console,
    source: FromOption = None,
    which: SetOption = None,
    no_load: Annotated[bool, typer.Option("--no-load", help="Do not load the champions.")] = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Restore a set into a throw-away stack, compare all. Exit 6 on findings."""
    from mlflowctl.backup import check, places
    from mlflowctl.backup import verify as work

    _end_on_sigterm()
    folder = source or str(layout_of(data_dir).root / "backups")
    with check.opened(places.place(folder), which) as found:
        console.progress(f"Verifying {found}, made of {found.header.source}")
        done = work.verify(found, console.progress, load=not no_load)
    for one in done.checks:
        console.result(f"  {MARKS[one.verdict]:<7} {one.name:<16} {one.what}")
    if done.failed:
        error = FindingsError(
            f"Set {done.name} is not whole: {'; '.join(one.what for one in done.failed[:5])}.",
            state="No stack was changed.",
            next=f"mlflowctl backup verify --from {places.pasted(folder)} --set …   (an older one)",
        )
        error.result = done.as_dict()
        raise error
    console.result(f"Set {done.name} is whole, and restores.")
    return done.as_dict()


def _flags(dry_run: bool, exit_code: bool, as_json: bool) -> list[str]:
    """The flags that every command here has, as words."""
    chosen = {"--dry-run": dry_run, "--exit-code": exit_code, "--json": as_json}
    return [word for word, wanted in chosen.items() if wanted]


def _end_on_sigterm() -> None:
    """So that the throw-away stack is removed then, too."""
    import signal

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)


@command("restore")
def restore(
    console: Console,
    source: FromOption = None,
    which: SetOption = None,
    database_only: Annotated[
        bool,
        typer.Option("--database-only", help="Leave the objects, and the ledger, as they are."),
    ] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="NAME", help="Over data: the stack's name.")
    ] = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Put a set back into a stack. Over data it wants --confirm NAME."""
    from mlflowctl.backup import check, places, serving
    from mlflowctl.backup import restore as work

    if source is None:
        raise UsageError(
            "Missing option '--from'.", state="Nothing was changed.", next="mlflowctl restore --help"
        )
    target = context_to_change(console, context, data_dir)
    _end_on_sigterm()
    if target.project:
        from mlflowctl.compose import moving

        flags = [*(["--set", which] if which else []), *(["--database-only"] if database_only else [])]
        flags += ["--confirm", confirm] if confirm else []
        flags += _flags(dry_run, exit_code, as_json)
        raise SystemExit(moving.restore(console, target.project, source, flags))
    with check.opened(places.place(source), which) as found:
        console.progress(f"Restoring {found}, made of {found.header.source}")
        plan = work.plan(target, found, console.progress, database_only=database_only)
        if dry_run:
            return print_steps(console, plan.steps, exit_code=exit_code)
        _confirmed(console, target, plan, confirm)
        server = serving.server_of(target, console.progress)
        done = work.execute(plan, target, server, console.progress)
    return _told(console, target, done)


def _confirmed(console: Console, target: Context, plan: Plan, confirm: str | None) -> None:
    """Over data the stack's name is wanted, and what would be lost is listed."""
    from mlflowctl.backup.present import stack_name
    from mlflowctl.stack.layout import quoted

    name = stack_name(target)
    if not plan.loses or confirm == name:
        return
    for line in plan.loses:
        console.progress(f"  would be lost: {line}")
    raise UsageError(
        f"The stack {name!r} holds data that the restore would replace: {', '.join(plan.loses)}.",
        state="Nothing was changed.",
        next=f"The same command with --confirm {quoted(name)}   (mlflowctl backup --to … first, to keep it)",
    )


def _told(console: Console, target: Context, done: Restored) -> Any:
    from mlflowctl.backup.apart import apart_or_unknown
    from mlflowctl.registry.ledger import quoted

    apart, unknown = apart_or_unknown(target) if done.serving else ({}, "")
    differing = [{"model": model, "differences": count} for model, count in apart.items()]
    answer = done.as_dict() | {"apart": differing}
    answer["notes"] = [*answer["notes"], *([unknown] if unknown else [])]
    console.result(
        f"Restored to {answer['at']}: {answer['rows']:,} rows, {answer['objects_sent']:,} objects sent, "
        f"{answer['objects_removed']:,} removed."
    )
    for note in answer["notes"]:
        console.result(f"  note      {note}")
    for model in apart:
        console.result(f"  next      mlflowctl model reconcile {quoted(model)}   (ledger of another time)")
    if not done.serving:
        console.result("  next      start the MLflow server again, then: mlflowctl model status")
    return answer
