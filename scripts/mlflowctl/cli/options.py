"""From options to objects, and plans to text: shared by the command files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.plan import Step
    from mlflowctl.settings import Context
    from mlflowctl.stack.layout import Layout


def layout_of(data_dir: Path | None) -> Layout:
    """The stack's folder: the option, else MLFLOWCTL_DATA_DIR, else .mlflowctl here."""
    from mlflowctl.stack.layout import DEFAULT_DATA_DIR, Layout

    return Layout.at(_folder(data_dir) or DEFAULT_DATA_DIR)


def context_from(context: str | None, data_dir: Path | None) -> Context:
    """The context that the options name, or the one that the rules choose."""
    from mlflowctl.settings import resolve

    return resolve(context=context, data_dir=_folder(data_dir))


def context_to_change(console: Console, context: str | None, data_dir: Path | None) -> Context:
    """The context for a command that changes something: printed first, and named unless it is local.

    Raises:
        UsageError: the context is not local and was not named.
    """
    target = context_from(context, data_dir)
    console.progress(f"Target: {target.describe()}")
    if not target.is_local and not (context or os.environ.get("MLFLOWCTL_CONTEXT")):
        raise UsageError(
            f"The target is not a local stack, so it must be named: {target.describe()}.",
            state="Nothing was changed.",
            next=f"Add --context {target.name}",
        )
    return target


def _folder(data_dir: Path | None) -> Path | None:
    """The folder that the option names, else the variable; a file is refused from both alike."""
    exported = os.environ.get("MLFLOWCTL_DATA_DIR")
    folder = data_dir or (Path(exported) if exported else None)
    if folder and folder.expanduser().exists() and not folder.expanduser().is_dir():
        named = "--data-dir" if data_dir else "MLFLOWCTL_DATA_DIR"
        raise UsageError(
            f"Invalid value for '{named}': dir '{folder}' is a file.",
            state="Nothing was changed.",
            next="Name the folder of a stack with --data-dir, or: unset MLFLOWCTL_DATA_DIR",
        )
    return folder


def print_steps(console: Console, steps: list[Step], *, exit_code: bool) -> Any:
    """Print a plan. With ``exit_code``, raise if there is something to do.

    Raises:
        FindingsError: something is to be done and the caller wants to know by the exit code.
    """
    from mlflowctl.plan import Action, pending

    if steps:
        console.table(("action", "target", "detail"), [(str(s.action), s.target, s.detail) for s in steps])
    todo = pending(steps) + [step for step in steps if step.action is Action.ATTENTION]
    console.result(f"{len(todo)} to do." if todo else "Nothing to do.")
    answer = {"steps": [step.as_dict() for step in steps], "to_do": len(todo)}
    if todo and exit_code:
        error = FindingsError(
            f"{len(todo)} to do.", state="Nothing was changed.", next="The same without --dry-run."
        )
        error.result = answer
        raise error
    return answer


def same_command(name: str, argv: Sequence[str]) -> list[str]:
    """The command of this process as another place is to run it: without what names the target from here.

    Args:
        name: the command's first word.
        argv: ``sys.argv`` of this process.
    """
    rest = iter(argv[list(argv).index(name) :])
    kept = []
    for word in rest:
        if word in ("--context", "--data-dir"):
            next(rest, None)
        elif not word.startswith(("--context=", "--data-dir=")):
            kept.append(word)
    return kept
