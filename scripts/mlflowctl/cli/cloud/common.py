"""What the commands of ``mlflowctl cloud`` share: which environment is meant, and plans as text."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, UsageError

if TYPE_CHECKING:
    from mlflowctl.cloud.project import Environment
    from mlflowctl.cloud.workbench import Plan
    from mlflowctl.plan import Step

EnvironmentOption = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="The environment in AWS, e.g. prod.")
]
ConfirmOption = Annotated[
    str | None,
    typer.Option("--confirm", metavar="NAME", help="If the plan loses data: its name, mlflow-prod."),
]
_SINGLE_CREATIONS = 12  # more of them are shown as one line for each module


def environment_of(console: Console, context: str | None) -> Environment:
    """The environment that the option or MLFLOWCTL_CONTEXT names; it is printed as the target."""
    from mlflowctl.cloud import project

    environment = project.find(context or os.environ.get("MLFLOWCTL_CONTEXT") or None)
    console.progress(f"Target: {environment.describe()}")
    return environment


def show(console: Console, plan: Plan, before: list[Step]) -> None:
    """Print a plan as a person reads it; what would lose data is shouted."""
    from mlflowctl.plan import Action

    created = [step for step in plan.steps if step.action is Action.CREATE]
    others = [step for step in plan.steps if step.action is not Action.CREATE]
    rows = [(str(step.action), step.target, step.detail) for step in before]
    rows += _by_module(created) if len(created) > _SINGLE_CREATIONS else [_row(step) for step in created]
    rows += [_row(step) for step in others]
    if rows:
        console.table(("action", "target", "detail"), rows)
    for step in plan.losses:
        console.progress(f"!!! {_verb(step)} {step.target}: lost would be {step.loses}")
    console.result(_count(plan))


def _row(step: Any) -> tuple[str, str, str]:
    action = "REPLACE" if step.replaced else "DESTROY" if step.loses else str(step.action)
    return action, step.target, step.detail


def _verb(step: Any) -> str:
    return "REPLACES" if step.replaced else "DESTROYS"


def _by_module(steps: list[Any]) -> list[tuple[str, str, str]]:
    """One line for each module: how many resources of which kind."""
    kinds: dict[str, Counter[str]] = {}
    for step in steps:
        parts = step.target.split(".")
        module = ".".join(parts[:2]) if parts[0] == "module" else "(root)"
        kinds.setdefault(module, Counter())[step.kind.removeprefix("aws_")] += 1
    return [
        ("create", module, f"{found.total()}: {', '.join(_several(*one) for one in sorted(found.items()))}")
        for module, found in sorted(kinds.items())
    ]


def _several(kind: str, number: int) -> str:
    return kind if number == 1 else f"{number} {kind}"


def _count(plan: Plan) -> str:
    if not plan.steps:
        return "Nothing to do."
    replaced = sum(step.replaced for step in plan.steps)
    actions = Counter("replace" if step.replaced else str(step.action) for step in plan.steps)
    parts = [
        f"{actions['create']} to create",
        f"{actions['change']} to change",
        f"{replaced} to replace",
        f"{actions['remove']} to destroy",
    ]
    return ", ".join(parts) + "."


def planned(plan: Plan, before: list[Step], *, file: str | None = None) -> dict[str, Any]:
    """What ``--json`` prints about a plan."""
    steps: list[Step] = [*before, *plan.steps]
    return {
        "environment": plan.environment.name,
        "steps": [step.as_dict() for step in steps],
        "to_do": len(steps),
        "losses": [f"{step.target}: {step.loses}" for step in plan.losses],
        "file": file,
    }


def dry(result: dict[str, Any], *, exit_code: bool, next: str) -> dict[str, Any]:
    """The end of a command that only looked.

    Raises:
        FindingsError: something is to be done and the caller wants to know by the exit code.
    """
    if result["to_do"] and exit_code:
        error = FindingsError(f"{result['to_do']} to do.", state="Nothing was changed.", next=next)
        error.result = result
        raise error
    return result


def refuse_losses(plan: Plan, confirmed: str | None, command: str) -> None:
    """A plan that loses data wants the environment's name typed, as destroying does.

    Raises:
        UsageError: it was not typed.
    """
    title = plan.environment.title
    if plan.losses and confirmed != title:
        raise UsageError(
            f"This plan loses data: {'; '.join(f'{one.target} ({one.loses})' for one in plan.losses)}.",
            state="Nothing was changed.",
            next=f"Change the environment's file so that it does not. Only if it is meant: {command} "
            f"--confirm {title}",
        )
