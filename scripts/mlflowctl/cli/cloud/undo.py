"""``cloud restore`` and ``cloud destroy``: going back in time, and going away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.cloud.change import carry_out
from mlflowctl.cli.cloud.common import (
    EnvironmentOption,
    dry,
    environment_of,
    planned,
    refuse_losses,
    show,
)
from mlflowctl.cli.command import (
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    UnaskedYesOption,
    YesOption,
    command,
    confirm,
)
from mlflowctl.console import Console
from mlflowctl.errors import UsageError

if TYPE_CHECKING:
    from mlflowctl.cloud.project import Environment
    from mlflowctl.cloud.restore import Databases


@command("cloud.restore")
def restore(
    console: Console,
    to_time: Annotated[
        str | None,
        typer.Option("--to-time", metavar="TIME", help="Make a database beside the others, as it was then."),
    ] = None,
    serve: Annotated[
        str | None, typer.Option("--serve", metavar="NAME", help="Switch to the database of that name.")
    ] = None,
    context: EnvironmentOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Restore the database beside itself, then switch. First --to-time, then --serve after a look."""
    from mlflowctl.cloud import restore as work
    from mlflowctl.cloud.workbench import Workbench

    if (to_time is None) == (serve is None):
        raise UsageError(
            "Name one of --to-time TIME and --serve NAME.",
            state="Nothing was changed.",
            next="mlflowctl cloud restore --help",
        )
    environment = environment_of(console, context)
    name, databases = _wanted(environment, to_time, serve)
    bench = Workbench(environment, console.progress)
    wanted = environment.data / "restore.tfvars.json"
    work.write(wanted, databases)
    made = bench.plan(extra=wanted)
    show(console, made, [])
    again = f"mlflowctl cloud restore --context {environment.name} " + (
        f"--to-time {to_time}" if to_time else f"--serve {serve}"
    )
    if dry_run:
        return dry(planned(made, []), exit_code=exit_code, next=again)
    if made.steps:
        refuse_losses(made, None, again)
        confirm(f"Apply this to {environment.title}?", yes=yes)
        work.write(environment.databases, databases)
        console.progress(f"Written: {environment.databases} (commit it)")
    answer = carry_out(console, bench, made, [])
    _say_next(console, environment, name, to_time)
    return answer | {"database": name, "serving": databases["serving_database"]}


def _wanted(environment: Environment, to_time: str | None, serve: str | None) -> tuple[str, Databases]:
    """The name of the database that is meant, and all databases as they are to be."""
    from mlflowctl.cloud import published
    from mlflowctl.cloud import restore as work

    if to_time is None:
        return str(serve), work.serving(environment, str(serve))
    moment = work.moment_of(to_time)
    name, databases = work.beside(environment, moment)
    if name not in work.read(environment)["database_instances"]:
        work.refuse_unreachable(published.get(environment.name, environment.region), moment)
    return name, databases


def _say_next(console: Console, environment: Environment, name: str, to_time: str | None) -> None:
    if to_time:
        console.result(f"{name} stands beside the database that serves; nothing was switched.")
        console.result(f"  next    mlflowctl cloud restore --context {environment.name} --serve {name}")
        return
    console.result(f"{name} serves. The ledger in the bucket is newer than it: compare the two.")
    console.result(f"  next    mlflowctl --context {environment.name} model reconcile NAME")


@command("cloud.destroy")
def destroy(
    console: Console,
    confirmed: Annotated[
        str | None, typer.Option("--confirm", metavar="NAME", help="What is destroyed, e.g. mlflow-dev.")
    ] = None,
    context: EnvironmentOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Say what would be lost; destroy it with its name typed."""
    from mlflowctl.cloud import destroy as work
    from mlflowctl.cloud.workbench import Workbench

    environment = environment_of(console, context)
    bench = Workbench(environment, console.progress)
    made = bench.plan(destroy=True)
    findings = work.look(made, made.resources)
    if findings:
        console.table(("action", "target", "detail"), [(str(f.action), f.target, f.detail) for f in findings])
    console.result(f"{len(made.steps)} resources of {environment.title} to destroy.")
    if dry_run:
        again = f"mlflowctl cloud destroy --context {environment.name} --confirm {environment.title}"
        return dry(planned(made, list(findings)), exit_code=exit_code, next=again)
    if made.steps:
        work.refuse_blocked(findings, environment.name, environment.title)
        work.refuse_unconfirmed(confirmed, environment.title, environment.name)
        bench.apply(made)
    remains = work.remains(findings)
    console.result(f"{environment.title} is destroyed." if made.steps else "Nothing to do.")
    for one in remains:
        console.result(f"  remains  {one}")
    return {"environment": environment.name, "destroyed": len(made.steps), "remains": remains}
