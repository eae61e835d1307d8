"""What the model commands share: options, the target, and how a move is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.command import confirm
from mlflowctl.cli.options import context_from, print_steps
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.registry.desk import Desk
    from mlflowctl.registry.ledger import Chained
    from mlflowctl.registry.moves import Move

ModelArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the registered model.")]
VersionArgument = Annotated[
    int, typer.Argument(metavar="VERSION", min=1, help="Number of the model version.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the ledger.", show_default=False)
]
LeaseWaitOption = Annotated[
    float,
    typer.Option(
        "--lease-wait", metavar="SECONDS", min=0, help="How long to wait for another command on this model."
    ),
]


def seconds(text: str | float) -> float:
    """``120`` or ``120s``."""
    try:
        found = float(str(text).strip().removesuffix("s"))
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise typer.BadParameter(f"{text!r} is no number of seconds.")
    return found


WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        parser=seconds,
        help="Then wait until the gateway (MLFLOWCTL_SERVING_URL, or this machine's) answers like that.",
    ),
]
PolicyOption = Annotated[
    Path, typer.Option("--policy", metavar="FILE", help="The policy file.", show_default=True)
]
POLICY = Path("promotion.yaml")
LEASE_WAIT = 10.0


def desk_for(context: str | None, data_dir: Path | None) -> Desk:
    """The desk of the chosen context, for commands that only look."""
    from mlflowctl.registry.desk import Desk

    return Desk(context_from(context, data_dir))


def desk_to_change(console: Console, context: str | None, data_dir: Path | None) -> Desk:
    """The desk for a command that changes something: the target is printed first, and must be named.

    Raises:
        UsageError: the context is not local and was not named.
    """
    import os

    desk = desk_for(context, data_dir)
    console.progress(f"Target: {desk.context.describe()}")
    if not desk.context.is_local and not (context or os.environ.get("MLFLOWCTL_CONTEXT")):
        raise UsageError(
            f"The target is not a local stack, so it must be named: {desk.context.describe()}.",
            state="Nothing was changed.",
            next=f"Add --context {desk.context.name}",
        )
    return desk


def reason_needed(reason: str, what: str) -> None:
    """Some things are not done without a reason.

    Raises:
        UsageError: there is none.
    """
    if not reason.strip():
        raise UsageError(f"{what} wants a reason.", state="Nothing was changed.", next="Add --reason '…'")


def gateway_to_wait_for(desk: Desk, name: str, wait: float) -> str:
    """The gateway's address, asked for before anything is changed; "" if nobody wants to wait.

    Raises:
        UsageError: nobody knows where the model is served.
    """
    from mlflowctl.serving.endpoints import url_of

    return url_of(desk.context, name) if wait else ""


def served(
    console: Console, desk: Desk, name: str, url: str, wait: float, answer: dict[str, Any]
) -> dict[str, Any]:
    """After a move: wait until what answers is what the registry says, if that was asked for.

    Raises:
        FindingsError: it still was not when the time was over; the move itself is done.
    """
    _rebalance(console, desk, name)
    if not url:
        return answer
    from mlflowctl.serving.endpoints import wait_for

    try:
        found = wait_for(desk, name, url, seconds=wait, progress=console.progress)
    except FindingsError as exc:
        exc.state = "The move is done; what serves keeps serving."
        exc.result = answer
        raise
    console.progress(f"{found.url} answers with v{found.view.champion}.")
    return answer


def _rebalance(console: Console, desk: Desk, name: str) -> None:
    """No share was decided for the new pair, so a load balancer is told; until then the champion answers."""
    from mlflowctl.errors import MlflowctlError
    from mlflowctl.serving.traffic import balance

    try:
        balance(desk, name, 0.0)
    except MlflowctlError as exc:
        console.progress(f"note: the load balancer still divides the requests: {exc.what}")


def show_plan(console: Console, move: Move, *, exit_code: bool) -> Any:
    """The dry run of a move."""
    return print_steps(console, list(move.steps()), exit_code=exit_code)


def nothing_to_do(
    console: Console, model: str, version: int | None, why: str, *, champion: int | None = None
) -> dict[str, Any]:
    """The answer when things are as wanted already; ``champion`` where the command was about it."""
    console.result(f"Nothing to do: {why}")
    return _answer(model, None, version, None, champion, None, changed=False)


def moved(console: Console, move: Move, done: Chained | None, text: str) -> dict[str, Any]:
    """The answer after a move."""
    console.result(text)
    champion = done.state["champion"] if done else move.version  # without a ledger entry: a broken glass
    before = champion if move.verb in ("stage", "archive") else move.champion  # these leave it as it is
    entry = done.number if done else None
    return _answer(move.model, move.verb, move.version, before, champion, entry, changed=True)


def _answer(
    model: str,
    verb: str | None,
    version: int | None,
    before: int | None,
    champion: int | None,
    entry: int | None,
    *,
    changed: bool,
) -> dict[str, Any]:
    return {
        "model": model,
        "changed": changed,
        "move": verb,
        "version": version,
        "former_champion": before,
        "champion": champion,
        "entry": entry,
    }


def ask(console: Console, move: Move, question: str, *, yes: bool) -> None:
    """Show what would happen and ask."""
    if not yes and not console.as_json:
        console.table(
            ("action", "target", "detail"), [(str(s.action), s.target, s.detail) for s in move.steps()]
        )
    confirm(question, yes=yes)
