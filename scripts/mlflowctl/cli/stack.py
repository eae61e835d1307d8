"""``up``, ``down``, ``restart``, ``logs``, ``env``: the embedded stack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli import status
from mlflowctl.cli.command import (
    ContextOption,
    DataDirOption,
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    command,
)
from mlflowctl.cli.options import layout_of, print_steps
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.stack.layout import Layout


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("down")(down)
    app.command("restart")(restart)
    status.register(app)
    app.command("logs")(logs)
    app.command("env")(env)


@command("up")
def up(
    console: Console,
    data_dir: DataDirOption = None,
    auto_ports: Annotated[
        bool, typer.Option("--auto-ports", help="Take free ports where 5000, 9000 or 5432 are taken.")
    ] = False,
    artifacts: Annotated[
        str | None,
        typer.Option(
            "--artifacts",
            metavar="proxied|direct",
            help="How clients reach artifacts: through the server, or with S3 credentials of their own.",
        ),
    ] = None,
    auth: Annotated[
        bool | None,
        typer.Option("--auth/--no-auth", help="Whether clients must log in; default: as it is, at first no."),
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and stop the stack on Ctrl-C.")
    ] = False,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Start PostgreSQL, object store and MLflow here. Returns when the API answers."""
    from mlflowctl.stack import up as stack_up

    if artifacts not in (None, "proxied", "direct"):
        raise UsageError(
            f"--artifacts is proxied or direct, not {artifacts!r}.",
            state="Nothing was changed.",
            next="mlflowctl up --help",
        )
    layout = layout_of(data_dir)
    options = stack_up.UpOptions(auto_ports=auto_ports, artifacts=artifacts, auth=auth)
    if dry_run:
        return print_steps(console, stack_up.plan(layout, options), exit_code=exit_code)
    return _bring_up(console, layout, options, foreground)


def _bring_up(console: Console, layout: Any, options: Any, foreground: bool) -> Any:
    import time

    from mlflowctl.bootstrap import attention
    from mlflowctl.bring_up import bring_up

    began = time.monotonic()
    console.progress(f"Starting the stack in {layout.root}")
    context, started, outcomes = bring_up(
        layout, options, lambda name, seconds: console.progress(f"  {name:<13} ready after {seconds:5.1f} s")
    )
    open_questions = list(attention(outcomes))
    changed = [step for step in outcomes if step.effective]
    verdict = "up" if started else "up already" + ("" if changed else "; nothing to do")
    console.result(f"The stack is {verdict} ({time.monotonic() - began:.1f} s).")
    console.result(f"  MLflow    {context.tracking_uri}")
    console.result('  clients   eval "$(mlflowctl env)"')
    console.result("  next      mlflowctl smoke-test")
    if open_questions:
        raise FindingsError(
            "The stack runs, but its registry needs a decision: "
            + "; ".join(f"{step.target}: {step.detail}" for step in open_questions),
            state="The stack serves. The registry guard is not installed while this is open.",
            next="mlflowctl bootstrap --mend",
        )
    if foreground:
        _stay(console, layout)
    return {
        "tracking_uri": context.tracking_uri,
        "data_dir": str(layout.root),
        "started": started,
        "bootstrap": [step.as_dict() for step in outcomes],
    }


def _stay(console: Console, layout: Any) -> None:
    import signal
    import time

    from mlflowctl.stack import supervisor
    from mlflowctl.stack import up as stack_up

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    console.progress("Ctrl-C stops the stack.")
    try:
        while supervisor.running(layout) is not None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        pass
    console.progress("Stopping the stack.")
    stack_up.down(layout)


@command("down")
def down(
    console: Console,
    data_dir: DataDirOption = None,
    volumes: Annotated[bool, typer.Option("--volumes", help="Also delete all its data.")] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="NAME", help="With --volumes: the stack's name.")
    ] = None,
    as_json: JsonOption = False,
) -> Any:
    """Stop the stack. Its data stays, unless --volumes --confirm NAME removes it."""
    from mlflowctl.stack import up as stack_up

    layout = layout_of(data_dir)
    if confirm is not None and not volumes:
        raise UsageError(
            "--confirm goes with --volumes.", state="Nothing was stopped.", next="mlflowctl down --help"
        )
    if not volumes or confirm == _name(layout):
        _end_serving(console, layout)
    if volumes:
        stack_up.remove(layout, confirm=confirm)
        console.result(f"The stack in {layout.root} is stopped and its data deleted.")
        return {"stopped": True, "deleted": True, "data_dir": str(layout.root)}
    ran = stack_up.down(layout)
    console.result(
        f"The stack in {layout.root} is stopped; its data is kept."
        if ran
        else "No stack was running; nothing to do."
    )
    return {"stopped": ran, "deleted": False, "data_dir": str(layout.root)}


def _name(layout: Layout) -> str | None:
    return layout.load().name if layout.exists() else None


def _end_serving(console: Console, layout: Layout) -> None:
    """What serves models from this folder ends first: it lives on the registry."""
    from mlflowctl.serving.serve import stop_all

    for model in stop_all(layout.root):
        console.progress(f"{model} is no longer served here.")


@command("restart")
def restart(console: Console, data_dir: DataDirOption = None, as_json: JsonOption = False) -> Any:
    """Stop the stack and start it again with the same settings."""
    from mlflowctl.stack import up as stack_up

    layout = layout_of(data_dir)
    layout.load()
    return _bring_up(console, layout, stack_up.UpOptions(restart=True), foreground=False)


@command("logs")
def logs(
    console: Console,
    component: Annotated[
        str | None,
        typer.Argument(
            metavar="COMPONENT", help="postgres, object-store, mlflow or supervisor; default: all."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on printing what is written.")] = False,
    lines: Annotated[
        int, typer.Option("-n", "--lines", metavar="N", min=0, help="How many last lines.")
    ] = 50,
    data_dir: DataDirOption = None,
) -> Any:
    """Print the last lines of the logs."""
    from mlflowctl.stack import logs as stack_logs

    layout = layout_of(data_dir)
    layout.load()
    for line in stack_logs.tail(layout, component, lines=lines, follow=follow):
        console.result(line)


@command("env")
def env(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    with_s3: Annotated[bool, typer.Option("--with-s3", help="Also the object store and its keys.")] = False,
    form: Annotated[
        str, typer.Option("--format", metavar="shell|dotenv|json", help="How to print it.")
    ] = "shell",
) -> Any:
    """Print the variables that clients need. Use: eval "$(mlflowctl env)"."""
    from mlflowctl.cli.options import context_from
    from mlflowctl.environment import client_variables, render

    print(render(client_variables(context_from(context, data_dir), with_s3=with_s3), form))


__all__ = ["Path", "register"]
