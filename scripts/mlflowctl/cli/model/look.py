"""Looking at models: status, history, champion, explain, audit. Nothing here changes anything."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.model.common import ModelArgument, desk_for
from mlflowctl.console import Console
from mlflowctl.errors import FindingsError

OptionalModel = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Name of the registered model; default: all.")
]


@command("model.status")
def status(
    console: Console,
    name: OptionalModel = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Show who serves and what is under way, of one model or of all."""
    from mlflowctl.registry import report
    from mlflowctl.registry.evidence.plain import one_line

    desk = desk_for(context, data_dir)
    found = [report.status(desk, one) for one in ([name] if name else desk.registry.models())]
    if not found:
        console.result("There is no registered model.")
        return {"models": []}
    console.table(
        ("model", "champion", "challenger", "previous", "validation"),
        [
            (
                one["model"],
                _v(one["champion"]),
                _v(one["challenger"]),
                _v(one["previous"]),
                one["validation_status"] or "-",
            )
            for one in found
        ],
    )
    # Below the table: a remark is a sentence, often with a command to copy.
    for one in found:
        for remark in one["remarks"]:
            console.result(f"{one['model']}: {one_line(remark)}")
    return {"models": found}


def _v(version: int | None) -> str:
    return "-" if version is None else f"v{version}"


@command("model.history")
def history(
    console: Console,
    name: ModelArgument,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most this many, newest first.")
    ] = 30,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Show the ledger of a model, newest first: what, who, why."""
    from mlflowctl.registry import report
    from mlflowctl.registry.evidence.plain import one_line

    rows = report.history(desk_for(context, data_dir), name, limit)
    if not rows:
        console.result(f"The ledger of {name} is empty: nothing was done with mlflowctl model yet.")
        return {"model": name, "entries": []}
    console.table(
        ("entry", "at", "what", "champion", "who", "reason"),
        [
            (
                row["entry"],
                f"{row['at'][:19]}Z",
                one_line(row["what"]),
                _v(row["champion"]),
                one_line(row["actor"]["name"], 40),
                one_line(row["reason"]) or "-",
            )
            for row in rows
        ],
    )
    return {"model": name, "entries": rows}


@command("model.champion")
def champion(
    console: Console,
    name: ModelArgument,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="ISO 8601; without an offset it is UTC. Default: now."),
    ] = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Tell which version is champion, or was at a time."""
    from mlflowctl.registry import report

    found = report.champion_at(desk_for(context, data_dir), name, at)
    console.result("none" if found["champion"] is None else str(found["champion"]))
    console.progress(found["note"])
    return found


@command("model.explain")
def explain(
    console: Console,
    name: ModelArgument,
    version: Annotated[
        int | None,
        typer.Argument(
            metavar="VERSION", min=1, help="Number of the model version; default: the one validated last."
        ),
    ] = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Say why a version was refused, and what would pass."""
    from mlflowctl.registry import report

    found = report.explained(desk_for(context, data_dir), name, version)
    for line in found["lines"]:
        console.result(line)
    return found


@command("model.audit")
def audit(
    console: Console,
    name: OptionalModel = None,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Read the whole ledger again, every hash and witness. Exit 6 on any finding."""
    from mlflowctl.registry import audit as work
    from mlflowctl.registry import ledger

    desk = desk_for(context, data_dir)
    found = []
    for model in [name] if name else ledger.models(desk.objects):
        done = work.audit(desk, model)
        if not (done.entries or done.findings):
            desk.registry.model_tags(model)  # raises if there is no such model either
        found.append(done)
        console.result(
            f"{model}: {done.entries} entries, {len(done.findings)} findings, head {done.head[:12]}"
        )
        for finding in done.findings:
            console.result(f"  {finding.kind}: {finding.what}")
        for note in done.notes:
            console.progress(f"  note: {note}")
    if not found:
        console.result("There is no ledger yet: nothing was done with mlflowctl model.")
    answer = {"audits": [one.as_dict() for one in found]}
    total = sum(len(one.findings) for one in found)
    if total:
        apart = all(finding.kind in work.APART for one in found for finding in one.findings)
        broken = "docs/runbook.md, ledger broken; changes by others: mlflowctl model reconcile NAME"
        error = FindingsError(
            f"Findings: {total}. Ledgers read: {len(found)}.",
            state="Nothing was changed; what serves is not touched by this.",
            next="mlflowctl model reconcile NAME" if apart else broken,
        )
        error.result = answer
        raise error
    return answer
