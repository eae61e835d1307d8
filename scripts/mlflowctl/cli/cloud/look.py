"""``cloud output`` and ``cloud status``: what an environment is, and how it is."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.cloud.common import EnvironmentOption, environment_of
from mlflowctl.cli.command import JsonOption, command
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlflowctl.cloud.published import Published


@command("cloud.output")
def output(
    console: Console,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this one, its value alone.")
    ] = None,
    context: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Print addresses and names of the last apply. Never prints a secret."""
    from mlflowctl.cloud.workbench import Workbench

    environment = environment_of(console, context)
    found = Workbench(environment, console.progress).outputs()
    if name is not None and name not in found:
        raise NotFoundError(
            f"{environment.name} has no output {name!r}.",
            state="Nothing was changed.",
            next=f"It has: {', '.join(sorted(found)) or 'none; was it applied?'}",
        )
    rows = [_shown(one, found[one]) for one in sorted(found) if name in (None, one)]
    if name is None:
        console.table(("output", "value"), [(row["name"], _text(row)) for row in rows])
    else:
        console.result(_text(rows[0]))
    return {"environment": environment.name, "outputs": rows}


def _shown(name: str, one: dict[str, Any]) -> dict[str, Any]:
    sensitive = bool(one.get("sensitive"))
    return {"name": name, "value": None if sensitive else one.get("value"), "sensitive": sensitive}


def _text(row: dict[str, Any]) -> str:
    if row["sensitive"]:
        return "(sensitive, not shown)"
    return row["value"] if isinstance(row["value"], str) else json.dumps(row["value"])


@command("cloud.status")
def status(console: Console, context: EnvironmentOption = None, as_json: JsonOption = False) -> Any:
    """Show how server, load balancer, database and buckets are. Needs credentials, but no checkout."""
    from mlflowctl.cloud import environments, published

    name = context or os.environ.get("MLFLOWCTL_CONTEXT")
    if not name:
        raise UsageError(
            "No environment is named; in AWS mlflowctl never guesses one.",
            state="Nothing was changed.",
            next="mlflowctl cloud status --context prod",
        )
    environments.refuse_foreign_keys(name, os.environ)
    return how_it_is(console, published.get(name, _region(name)))


def how_it_is(console: Console, found: Published) -> Any:
    """Show every part of an environment.

    Raises:
        FindingsError: a part is not as it should be.
    """
    from mlflowctl.cloud import status as work

    parts = work.look(found)
    console.table(
        ("part", "state", "detail"), [(one.name, "ok" if one.ok else "WRONG", one.detail) for one in parts]
    )
    console.result(f"  MLflow  {found.tracking_uri}")
    result = {
        "environment": found.environment,
        "tracking_uri": found.tracking_uri,
        "parts": [one.as_dict() for one in parts],
    }
    wrong = [one.name for one in parts if not one.ok]
    if wrong:
        error = FindingsError(
            f"Not as it should be: {', '.join(wrong)}.",
            state="Nothing was changed.",
            next=f"mlflowctl --context {found.environment} doctor",
        )
        error.result = result
        raise error
    return result


def _region(name: str) -> str | None:
    """That of the environment's file, where there is a checkout; else that of the AWS chain."""
    from mlflowctl.cloud import project

    try:
        return project.find(name).region
    except UsageError:
        return None
