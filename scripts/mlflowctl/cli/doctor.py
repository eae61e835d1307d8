"""``doctor``: ordered checks; each failure prints the command that mends it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.options import context_from
from mlflowctl.console import Console, decorated
from mlflowctl.errors import FindingsError

if TYPE_CHECKING:
    from mlflowctl.doctor.check import Result

MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "skipped"}
COLOURS = {"ok": "32", "failed": "31;1", "skipped": "33"}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


@command("doctor")
def doctor(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> Any:
    """Check the platform; say what mends each thing that is wrong. Exit 6 if any is."""
    from mlflowctl.doctor import checkup

    target = context_from(context, data_dir)
    console.progress(f"Examining {target.describe()}")
    results = checkup.examine(target, lambda result: _tell(console, result), say=console.progress)
    failed = [result for result in results if result.verdict == "failed"]
    answer = {"target": target.describe(), "checks": [result.as_dict() for result in results]}
    counts = ", ".join(f"{sum(r.verdict == verdict for r in results)} {verdict}" for verdict in MARKS)
    console.result(f"{'All is well' if not failed else 'Something is wrong'}: {counts}.")
    if failed:
        error = FindingsError(
            f"{len(failed)} of {len(results)} checks failed: {', '.join(r.title for r in failed)}.",
            state="Nothing was changed.",
            next=failed[0].next,
        )
        error.result = answer
        raise error
    return answer


def _tell(console: Console, result: Result) -> None:
    mark = f"{MARKS[result.verdict]:<7}"
    if decorated():
        mark = f"\x1b[{COLOURS[result.verdict]}m{mark}\x1b[0m"
    what = textwrap.shorten(result.what, 600, placeholder="…")
    console.result(f"  {mark}  {result.title:<16} {what}".rstrip())
    if result.next:
        console.result(f"{'':28}next:  {result.next}")
