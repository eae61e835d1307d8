"""``model rollback`` and ``model reconcile``: the commands of a bad night."""

from __future__ import annotations

from typing import Annotated, Any

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
from mlflowctl.cli.model.common import (
    LEASE_WAIT,
    LeaseWaitOption,
    ModelArgument,
    ReasonOption,
    WaitOption,
    ask,
    desk_to_change,
    gateway_to_wait_for,
    moved,
    nothing_to_do,
    reason_needed,
    served,
    show_plan,
)
from mlflowctl.cli.options import print_steps
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError


@command("model.rollback")
def rollback(
    console: Console,
    name: ModelArgument,
    expect_champion: Annotated[
        int | None,
        typer.Option(
            "--expect-champion",
            metavar="VERSION",
            min=1,
            help="Only if this version is champion; a repeat does nothing.",
        ),
    ] = None,
    no_load_check: Annotated[
        bool, typer.Option("--no-load-check", help="Do not load the target first: faster, less certain.")
    ] = False,
    accept_unloadable: Annotated[
        bool,
        typer.Option(
            "--accept-unloadable",
            help="Go on although the target was changed or does not load; wants a reason.",
        ),
    ] = False,
    break_glass: Annotated[
        bool,
        typer.Option("--break-glass", help="Without the object store: to alias previous; wants a reason."),
    ] = False,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    wait: WaitOption = 0.0,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Go back to the last good champion. The version rolled back from is never chosen again by this."""
    from mlflowctl.registry import break_glass as glass
    from mlflowctl.registry import rollback as work
    from mlflowctl.registry.ledger import quoted

    if accept_unloadable:
        reason_needed(reason, "--accept-unloadable")
    if break_glass:
        reason_needed(reason, "--break-glass")
    desk = desk_to_change(console, context, data_dir)
    gateway = gateway_to_wait_for(desk, name, wait)
    if break_glass:
        move = glass.plan(desk, name, expect_champion)
    elif dry_run:
        move = work.plan(desk, name, expect_champion)
    else:
        move = work.plan_settled(desk, name, expect_champion, wait=lease_wait)
    if isinstance(move, work.NothingToDo):
        if dry_run:
            return print_steps(console, [], exit_code=exit_code)
        return nothing_to_do(console, name, move.champion, move.why, champion=move.champion)
    if dry_run:
        return show_plan(console, move, exit_code=exit_code)
    ask(console, move, f"Roll {name} back, v{move.champion} → v{move.version}?", yes=yes)
    text = f"{name}: v{move.champion} → v{move.version}"
    if break_glass:
        glass.execute(desk, move, reason)
        console.progress(
            "The ledger does not know of it yet. When the object store is back: "
            f"mlflowctl model reconcile {quoted(name)}"
        )
        return served(console, desk, name, gateway, wait, moved(console, move, None, text))
    for line in work.check_target(desk, move, load=not no_load_check, accept_unloadable=accept_unloadable):
        console.progress(f"  {line}")
    done = work.execute(desk, move, reason, wait=lease_wait)
    if isinstance(done, work.NothingToDo):
        return nothing_to_do(console, name, done.champion, done.why, champion=done.champion)
    return served(console, desk, name, gateway, wait, moved(console, move, done, text))


@command("model.reconcile")
def reconcile(
    console: Console,
    name: ModelArgument,
    prefer: Annotated[
        str,
        typer.Option(
            "--prefer",
            metavar="registry|ledger",
            help="Where they name different champions: record what serves, or switch back to the ledger's.",
        ),
    ] = "registry",
    break_lease: Annotated[
        bool, typer.Option("--break-lease", help="End the lease of a command that died; wants a reason.")
    ] = False,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Show where registry and ledger disagree, and mend it. Asks before it changes anything."""
    from mlflowctl.registry import discrepancies
    from mlflowctl.registry import reconcile as work

    chosen = discrepancies.PREFERENCES.get(prefer)
    if chosen is None:
        raise UsageError(
            f"--prefer is registry or ledger, not {prefer!r}.",
            state="Nothing was changed.",
            next="mlflowctl model reconcile --help",
        )
    if break_lease:
        reason_needed(reason, "--break-lease")
    desk = desk_to_change(console, context, data_dir)
    steps = discrepancies.plan(desk, name, chosen)
    if break_lease:
        steps = [*work.plan_break(desk, name), *steps]
    if dry_run:
        return print_steps(console, list(steps), exit_code=exit_code)
    if any(step.effective for step in steps):
        if not yes and not console.as_json:
            print_steps(console, list(steps), exit_code=False)
        confirm(f"Mend this for {name}?", yes=yes)
    elif not steps:
        console.result(f"Nothing to do: registry and ledger of {name} agree.")
        return {"steps": [], "changed": 0}
    if break_lease:
        work.break_lease(desk, name, reason)
    done = work.execute(desk, name, chosen, reason or "reconcile", wait=lease_wait)
    return _mended(console, name, done)


def _mended(console: Console, name: str, done: list[Any]) -> Any:
    from mlflowctl.plan import Action, pending

    for step in done:
        console.progress(f"  {step.action:<16} {step.target}  {step.detail}".rstrip())
    answer = {"steps": [step.as_dict() for step in done], "changed": len(pending(done))}
    left = [step for step in done if step.action is Action.ATTENTION]
    if left:
        error = FindingsError(
            "; ".join(f"{step.target}: {step.detail}" for step in left),
            state=f"{answer['changed']} mended; this is left for a person.",
            next="docs/runbook.md, drift reported",
        )
        error.result = answer
        raise error
    console.result(
        f"{name}: {answer['changed']} mended." if answer["changed"] else f"Nothing to do for {name}."
    )
    return answer
