"""What every command shares: options, the JSON envelope, and the one place where errors are printed."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mlflowctl.console import Console
from mlflowctl.errors import InterruptedByUser, MlflowctlError, UsageError

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
# For commands that never ask, so that scripts may pass --yes to every command that changes something.
UnaskedYesOption = Annotated[bool, typer.Option("--yes", "-y", help="Accepted; this command asks nothing.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
ExitCodeOption = Annotated[
    bool, typer.Option("--exit-code", help="With --dry-run: exit 6 if there is something to do.")
]
ContextOption = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="The platform to work on, e.g. local.")
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", file_okay=False, help="The embedded stack in this folder."),
]

EXIT_CODES = (
    "Exit codes: 0 done or nothing to do · 1 unexpected · 2 usage or illegal move · 3 gate failed · "
    "4 inconclusive · 5 conflict · 6 checks, doctor or dry run found something · 130 interrupted"
)


def command(name: str) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a function a command: it gets a ``console``, and returns what ``--json`` prints.

    Args:
        name: of the command, as the JSON schema names it.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(**arguments: Any) -> None:
            console = Console(name, as_json=bool(arguments.get("as_json")))
            try:
                _refuse_exit_code_alone(name, arguments)
                result = function(console, **arguments)
            except KeyboardInterrupt:
                fail(console, InterruptedByUser("Interrupted.", next="mlflowctl status"))
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise SystemExit(1) from None
            except MlflowctlError as exc:
                fail(console, exc)
            except Exception as exc:
                fail(console, unexpected(exc))
            console.envelope(result)

        # Typer reads the signature: the console is ours, not the user's. Evaluated here, where the
        # function's own module is known.
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        del run.__wrapped__
        return run

    return decorate


def _refuse_exit_code_alone(name: str, arguments: dict[str, Any]) -> None:
    """``--exit-code`` says how a dry run ends; where nothing is run dry it would be silently ignored."""
    if arguments.get("exit_code") and arguments.get("dry_run") is False:
        raise UsageError(
            "--exit-code goes with --dry-run.",
            state="Nothing was changed.",
            next=f"mlflowctl {name.replace('.', ' ')} --help",
        )


def fail(console: Console, error: MlflowctlError) -> NoReturn:
    """Print the error, and end with its exit code."""
    if debugging():
        traceback.print_exc()
    console.error(error)
    console.envelope(error.result, error)
    raise SystemExit(error.exit_code)


def unexpected(exc: Exception) -> MlflowctlError:
    """The error for a failure that nobody foresaw."""
    return MlflowctlError(
        f"{exc.__class__.__name__}: {exc}",
        state="This is not an expected failure; what was done before it stays done.",
        next="Run it again as mlflowctl --debug … and report what it prints.",
    )


def debugging() -> bool:
    return os.environ.get("MLFLOWCTL_DEBUG", "") not in ("", "0")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something serving is changed or removed.

    Raises:
        UsageError: there is nobody to ask, or the answer is no.
        InterruptedByUser: Ctrl-C or Ctrl-D instead of an answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"{question} There is no terminal to ask on.", state="Nothing was changed.", next="Add --yes."
        )
    try:
        confirmed = typer.confirm(question, err=True)
    except typer.Abort:
        print(file=sys.stderr)  # the question's line is still open
        raise InterruptedByUser("Interrupted instead of answered.", state="Nothing was changed.") from None
    if not confirmed:
        raise UsageError("Not confirmed.", state="Nothing was changed.")
