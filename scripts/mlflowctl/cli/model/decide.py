"""Deciding on a challenger: validate, plan, apply, promote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    WaitOption,
    ask,
    desk_for,
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
from mlflowctl.errors import FindingsError, GateFailedError, InconclusiveError, MlflowctlError, UsageError

if TYPE_CHECKING:
    from mlflowctl.registry.desk import Desk
    from mlflowctl.registry.promotion import Plan

OverrideOption = Annotated[
    bool,
    typer.Option(
        "--override-gate", help="Although the gates do not say pass. Wants a reason, which is kept for ever."
    ),
]


@command("model.validate")
def validate(
    console: Console,
    name: ModelArgument,
    version: Annotated[
        int | None,
        typer.Argument(
            metavar="VERSION", min=1, help="Number of the model version; default: the challenger."
        ),
    ] = None,
    policy: PolicyOption = POLICY,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Also write the HTML report here.")
    ] = None,
    env_manager: Annotated[
        str | None,
        typer.Option(
            "--env-manager",
            metavar="uv|local",
            help="Try the models in their own environment, or in this one; default: what the policy says.",
        ),
    ] = None,
    reason: ReasonOption = "",
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: UnaskedYesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Judge a version against the champion by gates and checks. Exit 0 pass, 3 fail, 4 inconclusive."""
    from mlflowctl.registry import validation as work
    from mlflowctl.registry.policy_file import for_model

    rules = work.in_environment(for_model(policy, name), env_manager)
    if report and (report.is_dir() or not report.absolute().parent.is_dir()):
        raise UsageError(
            f"--report {report} cannot be written: "
            + ("it is a folder." if report.is_dir() else f"there is no folder {report.parent}."),
            state="Nothing was judged.",
            next="mlflowctl model validate --help",
        )
    desk = desk_to_change(console, context, data_dir)
    subject = work.subject_of(desk, name, version)
    if dry_run:
        return print_steps(console, work.steps(subject), exit_code=exit_code)
    done = work.validate(desk, subject, rules, reason, console.progress)
    if report:
        work.write_report(report, done.report)
    return _verdict(console, done)


def _verdict(console: Console, done: Any) -> Any:
    from mlflowctl.registry.evidence.plain import without_non_finite
    from mlflowctl.registry.evidence.text import summary_lines
    from mlflowctl.registry.ledger import quoted
    from mlflowctl.registry.verdict import Verdict

    for line in summary_lines(done.evidence):
        console.result(line)
    for note in done.notes:
        console.progress(f"note: {note}")
    console.progress(f"Evidence: {done.stored.key}evidence.json  sha256 {done.stored.sha256}")
    found, (answer, _) = done.evidence, without_non_finite(done.as_dict())  # JSON knows no NaN
    if found.verdict is Verdict.PASS:
        return answer
    kinds = {Verdict.FAIL: GateFailedError, Verdict.INCONCLUSIVE: InconclusiveError}
    words = {Verdict.FAIL: "failed its validation", Verdict.INCONCLUSIVE: "cannot be decided yet"}
    error = kinds[found.verdict](
        f"v{found.version} of {found.model} {words[found.verdict]}.",
        state="The evidence is recorded; what serves did not change.",
        next=f"mlflowctl model explain {quoted(found.model)}",
    )
    error.result = answer
    raise error


@command("model.plan")
def plan(
    console: Console,
    name: ModelArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Save the plan for mlflowctl model apply.")
    ] = None,
    policy: PolicyOption = POLICY,
    override_gate: OverrideOption = False,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 6 if there is something to do.")
    ] = False,
    as_json: JsonOption = False,
) -> Any:
    """Show what promoting the challenger would change. Reads only."""
    from mlflowctl.registry.ledger import quoted

    desk = desk_for(context, data_dir)
    planned = _plan(desk, name, policy, override_gate)
    apply_it = _saved(planned, out, policy) if out else f"mlflowctl model promote {quoted(name)}"
    if out:
        console.progress(f"Plan saved: {apply_it}")
    more = {"observed": planned.observed, "saved": str(out) if out else None}
    try:
        return show_plan(console, planned.move, exit_code=exit_code) | more
    except FindingsError as exc:
        exc.result, exc.next = exc.result | more, apply_it
        raise


def _saved(planned: Plan, out: Path, policy: Path) -> str:
    """Save the plan; returns the command that carries it out."""
    from mlflowctl.registry.ledger import quoted

    try:
        planned.save(out)
    except OSError as exc:
        raise UsageError(
            f"The plan cannot be written to {out}: {exc.strerror or exc}.",
            state="Nothing was changed.",
            next="Name a file in a folder that exists and that you may write to.",
        ) from None
    where = "" if policy == POLICY else f" --policy {quoted(str(policy))}"
    return f"mlflowctl model apply {quoted(str(out))}{where}"


def _plan(desk: Desk, name: str, policy: Path, override: bool) -> Plan:
    from mlflowctl.registry.policy_file import for_model
    from mlflowctl.registry.promotion import make_plan

    return make_plan(desk, name, for_model(policy, name), override=override)


@command("model.apply")
def apply(
    console: Console,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A plan that mlflowctl model plan --out saved.")
    ],
    policy: PolicyOption = POLICY,
    reason: ReasonOption = "",
    lease_wait: LeaseWaitOption = LEASE_WAIT,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    dry_run: DryRunOption = False,
    exit_code: ExitCodeOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> Any:
    """Carry out a saved plan. Refused (exit 5) if anything that it rests on has moved on."""
    from mlflowctl.registry import moves, promotion

    saved = promotion.load(file)
    override = bool(saved.move.more.get("override"))
    if override:
        reason_needed(reason, "--override-gate")
    desk = desk_to_change(console, context, data_dir)
    if not dry_run:
        moves.settle(desk, saved.move.model, wait=lease_wait)
    if not _still_right(desk, saved, policy, override):
        if dry_run:
            return print_steps(console, [], exit_code=exit_code)
        number = saved.move.version
        return nothing_to_do(
            console, saved.move.model, number, f"v{number} is the champion.", champion=number
        )
    return _promote(console, desk, saved, reason, dry_run, exit_code, yes, lease_wait)


def _still_right(desk: Desk, saved: Plan, policy: Path, override: bool) -> bool:
    """The plan made anew is the saved one; False if it was carried out already.

    Raises:
        ConflictError: what it rests on has moved on; that comes before every other refusal.
    """
    from mlflowctl.registry import promotion
    from mlflowctl.registry.policy_file import for_model

    try:
        promotion.refuse_stale(saved, _plan(desk, saved.move.model, policy, override))
    except MlflowctlError:
        if promotion.is_champion(desk, saved.move):
            return False
        promotion.refuse_moved(desk, saved, for_model(policy, saved.move.model))
        raise
    return True


@command("model.promote")
def promote(
    console: Console,
    name: ModelArgument,
    policy: PolicyOption = POLICY,
    override_gate: OverrideOption = False,
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
    """Make the validated challenger the champion. Plan and apply in one."""
    if override_gate:
        reason_needed(reason, "--override-gate")
    from mlflowctl.registry import moves

    desk = desk_to_change(console, context, data_dir)
    gateway = gateway_to_wait_for(desk, name, 0.0 if dry_run else wait)
    if not dry_run:
        moves.settle(desk, name, wait=lease_wait)
    planned = _plan(desk, name, policy, override_gate)
    answer = _promote(console, desk, planned, reason, dry_run, exit_code, yes, lease_wait)
    return served(console, desk, name, gateway, wait, answer)


def _promote(
    console: Console,
    desk: Desk,
    planned: Plan,
    reason: str,
    dry_run: bool,
    exit_code: bool,
    yes: bool,
    wait: float,
) -> Any:
    from mlflowctl.registry import promotion
    from mlflowctl.registry.requirements import named

    move = planned.move
    if dry_run:
        return show_plan(console, move, exit_code=exit_code)
    if move.more.get("override"):
        console.progress(
            "WARNING: the gates are overridden. The ledger keeps that, with your name and reason, for ever."
        )
    before = named(move.champion)
    ask(console, move, f"Promote {move.model}, {before} → v{move.version}?", yes=yes)
    done = promotion.execute(desk, planned, reason, wait=wait)
    return moved(console, move, done, f"{move.model}: {before} → v{move.version}")
