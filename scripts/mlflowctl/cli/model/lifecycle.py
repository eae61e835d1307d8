"""Commands that move versions without promoting them: register, stage, approve, archive, retire, freeze."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlflowctl.cli.command import (
    ContextOption,
    DataDirOption,
    DryRunOption,
    ExitCodeOption,
    JsonOption,
    UnaskedYesOption,
    YesOption,
    command,
)
from mlflowctl.cli.model.common import (
    LEASE_WAIT,
    POLICY,
    LeaseWaitOption,
    ModelArgument,
    PolicyOption,
    ReasonOption,
    VersionArgument,
    ask,
    desk_to_change,
    moved,
    nothing_to_do,
    reason_needed,
    show_plan,
)
from mlflowctl.cli.options import print_steps
from mlflowctl.console import Console
from mlflowctl.errors import UsageError


@command("model.register")
def register(
    console: Console,
    name: ModelArgument,
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help="runs:/RUN_ID/NAME, models:/m-ID, or an address of artifacts."),
    ] = None,
    adopt: Annotated[
        int | None,
        typer.Option(
            "--adopt",
            metavar="VERSION",
            min=1,
            help="Instead of SOURCE: take a version into the ledger that was registered without it.",
        ),
    ] = None,
    policy: PolicyOption = POLICY,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Register a version at stage None, validation pending. Every artifact's SHA-256 is recorded."""
    from mlflowctl.registry import registering

    if (source is None) == (adopt is None):
        raise UsageError(
            "Name what to register: a SOURCE, or --adopt VERSION.",
            state="Nothing was changed.",
            next="mlflowctl model register --help",
        )
    desk = desk_to_change(console, context, data_dir)
    plan = registering.plan(desk, name, source, adopt, policy)
    if dry_run:
        return print_steps(console, plan.steps(), exit_code=exit_code)
    done = registering.execute(desk, plan, reason, wait=lease_wait)
    console.result(done.text())
    return done.as_dict()


@command("model.stage")
def stage(
    console: Console,
    name: ModelArgument,
    version: VersionArgument,
    replace: Annotated[
        int | None,
        typer.Option(
            "--replace", metavar="VERSION", min=1, help="The present challenger, which is archived by this."
        ),
    ] = None,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Make a version the challenger (Staging)."""
    from mlflowctl.registry import moves, registration, staging
    from mlflowctl.registry.ledger import quoted

    desk = desk_to_change(console, context, data_dir)
    if not dry_run:
        moves.settle(desk, name, wait=lease_wait)
    move = staging.plan_stage(desk, name, version, replace)
    if move is None:
        if dry_run:
            return print_steps(console, [], exit_code=exit_code)
        return nothing_to_do(console, name, version, f"v{version} is the challenger of {name}.")
    if dry_run:
        return show_plan(console, move, exit_code=exit_code)
    ask(console, move, f"Make v{version} the challenger of {name}?", yes=yes)
    registration.adopt(desk, desk.registry.version(name, version), "first touched by stage")
    done = staging.execute(desk, move, reason, wait=lease_wait)
    todo = f"mlflowctl model validate {quoted(name)}"
    return moved(console, move, done, f"v{version} is the challenger of {name}. Next: {todo}")


@command("model.approve")
def approve(
    console: Console,
    name: ModelArgument,
    version: VersionArgument,
    reason: ReasonOption = "",
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Approve a validated version that somebody else proposed. Good for its present evidence alone."""
    from mlflowctl.plan import Action, Step
    from mlflowctl.registry import staging

    desk = desk_to_change(console, context, data_dir)
    candidate = staging.approvable(desk, name, version)
    if dry_run:
        step = Step(Action.CREATE, f"approval of version {version}", f"by {desk.actor}")
        return print_steps(console, [step], exit_code=exit_code)
    candidate = staging.approve(desk, name, version, reason, candidate)
    names = [one["name"] for one in candidate["approvals"]]
    console.result(f"v{version} of {name} is approved by {', '.join(names)}.")
    return {"model": name, "version": version, "approved_by": names, "evidence_sha256": candidate["sha256"]}


@command("model.archive")
def archive(
    console: Console,
    name: ModelArgument,
    version: VersionArgument,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Put a version away that is neither needed nor champion."""
    from mlflowctl.registry import moves, staging

    desk = desk_to_change(console, context, data_dir)
    if not dry_run:
        moves.settle(desk, name, wait=lease_wait)
    move = staging.plan_archive(desk, name, version)
    if move is None:
        if dry_run:
            return print_steps(console, [], exit_code=exit_code)
        return nothing_to_do(console, name, version, f"v{version} of {name} is archived.")
    if dry_run:
        return show_plan(console, move, exit_code=exit_code)
    ask(console, move, f"Archive v{version} of {name}?", yes=yes)
    done = staging.execute(desk, move, reason, wait=lease_wait)
    return moved(console, move, done, f"v{version} of {name} is archived.")


@command("model.retire")
def retire(
    console: Console,
    name: ModelArgument,
    confirm: Annotated[
        str,
        typer.Option("--confirm", metavar="NAME", help="The model's name, typed again.", show_default=False),
    ] = "",
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Take a model out of service: its champion is archived. The only way to no champion at all."""
    from mlflowctl.registry import moves, staging

    desk = desk_to_change(console, context, data_dir)
    if not dry_run:
        moves.settle(desk, name, wait=lease_wait)
    move = staging.plan_retire(desk, name)
    if move is None:
        if dry_run:
            return print_steps(console, [], exit_code=exit_code)
        return nothing_to_do(console, name, None, f"{name} has no champion.")
    if dry_run:
        return show_plan(console, move, exit_code=exit_code)
    staging.refuse_unconfirmed(move, confirm)
    reason_needed(reason, "Retiring a model")
    done = staging.execute(desk, move, reason, wait=lease_wait)
    return moved(console, move, done, f"{name} is retired; v{move.version} is archived and nothing serves.")


@command("model.freeze")
def freeze(
    console: Console,
    name: ModelArgument,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Stop promotions of a model until unfreeze. Rollback still works."""
    return _freezing(console, name, True, reason, context, data_dir, dry_run, exit_code, lease_wait)


@command("model.unfreeze")
def unfreeze(
    console: Console,
    name: ModelArgument,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Allow promotions of a model again."""
    return _freezing(console, name, False, reason, context, data_dir, dry_run, exit_code, lease_wait)


def _freezing(
    console: Console,
    name: str,
    freeze: bool,
    reason: str,
    context: str | None,
    data_dir: Path | None,
    dry_run: bool,
    exit_code: bool,
    wait: float,
) -> Any:
    from mlflowctl.registry import staging

    desk = desk_to_change(console, context, data_dir)
    steps = staging.plan_freezing(desk, name, freeze)
    if dry_run:
        return print_steps(console, steps, exit_code=exit_code)
    reason_needed(reason, "Freezing" if freeze else "Unfreezing")
    changed = staging.freezing(desk, name, freeze, reason, wait=wait)
    state = "frozen: no promotion until mlflowctl model unfreeze" if freeze else "not frozen"
    console.result(f"{name} is {state}." if changed else f"Nothing to do: {name} is {state}.")
    return {"model": name, "frozen": freeze, "changed": changed}
