"""The command ``mlflowctl``."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from mlflowctl import __version__
from mlflowctl.cli import (
    backup,
    bootstrap,
    cloud,
    demo,
    doctor,
    model,
    policy,
    serve,
    smoke,
    stack,
    upgrade,
    user,
)
from mlflowctl.cli import compose as compose_commands
from mlflowctl.cli import config as config_commands
from mlflowctl.cli import live as live_commands
from mlflowctl.cli.command import EXIT_CODES, ContextOption, DataDirOption, fail
from mlflowctl.console import Console
from mlflowctl.errors import InterruptedByUser, UsageError

app = typer.Typer(
    name="mlflowctl",
    help="Run MLflow on PostgreSQL and S3, the same on a laptop and in AWS, and promote models safely.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (
    stack,
    bootstrap,
    smoke,
    doctor,
    backup,
    upgrade,
    demo,
    model,
    serve,
    live_commands,
    policy,
    user,
    compose_commands,
    cloud,
    config_commands,
):
    group.register(app)


def _version(value: bool) -> None:
    if value:
        print(f"mlflowctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # Options before the command count like those behind it; the environment carries them there.
    if context is not None:
        os.environ["MLFLOWCTL_CONTEXT"] = context
    if data_dir is not None:
        os.environ["MLFLOWCTL_DATA_DIR"] = str(data_dir)
    if debug:
        os.environ["MLFLOWCTL_DEBUG"] = "1"


def main() -> None:
    """Entry point: run the command line, and print wrong usage like every other error."""
    command = typer.main.get_command(app)
    try:
        code = command.main(prog_name="mlflowctl", standalone_mode=False)
    except Exception as exc:
        # Click's own errors (wrong option, missing argument); told by shape, since Typer vendors Click.
        if not hasattr(exc, "format_message"):
            raise
        _usage(exc)
    except (KeyboardInterrupt, EOFError):
        fail(Console("mlflowctl"), InterruptedByUser("Interrupted."))
    sys.exit(code if isinstance(code, int) else 0)


def _usage(exc: Exception) -> None:
    context = getattr(exc, "ctx", None)
    if type(exc).__name__ == "NoArgsIsHelpError":
        # No command was named: the help is the answer, and no error.
        print(context.get_help() if context else "", file=sys.stderr)
        sys.exit(2)
    path = context.command_path if context else _named_command(sys.argv[1:])
    name = path.removeprefix("mlflowctl").strip().replace(" ", ".") or "mlflowctl"
    message = exc.format_message().rstrip(".")  # type: ignore[attr-defined]
    console = Console(name, as_json="--json" in sys.argv)
    error = UsageError(
        message if message.endswith("?") else f"{message}.",
        state="Nothing was changed.",
        next=f"{path} --help",
    )
    fail(console, error)


def _named_command(arguments: list[str]) -> str:
    """The command that the arguments name, for errors that do not tell: "mlflowctl config show"."""
    command: Any = typer.main.get_command(app)
    path = ["mlflowctl"]
    for word in arguments:
        inner = getattr(command, "commands", {}).get(word)
        if inner is not None:
            command = inner
            path.append(word)
    return " ".join(path)


if __name__ == "__main__":
    main()
