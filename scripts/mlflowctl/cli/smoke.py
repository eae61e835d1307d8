"""``smoke-test``: proves a registry end to end, as a client sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlflowctl.cli.command import ContextOption, DataDirOption, JsonOption, command
from mlflowctl.cli.options import context_from
from mlflowctl.console import Console, decorated
from mlflowctl.errors import FindingsError, InterruptedByUser, MlflowctlError

if TYPE_CHECKING:
    from mlflowctl.settings import Context
    from mlflowctl.smoke.report import Outcome, Report

MARKS = {"ok": "ok", "failed": "FAILED", "skipped": "skipped"}
COLOURS = {"ok": "32", "failed": "31;1", "skipped": "33"}


def register(app: typer.Typer) -> None:
    app.command("smoke-test")(smoke_test)


@command("smoke-test")
def smoke_test(
    console: Console,
    context: ContextOption = None,
    data_dir: DataDirOption = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write the steps as JUnit XML.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the run, model and artifacts that it makes.")
    ] = False,
    as_json: JsonOption = False,
) -> Any:
    """Prove the registry end to end. What it makes for that, it removes."""
    if junit:
        from mlflowctl.smoke.junit import refuse_unwritable

        refuse_unwritable(junit)
    return run_and_report(console, context_from(context, data_dir), junit=junit, keep=keep)


def run_and_report(
    console: Console, context: Context, *, junit: Path | None = None, keep: bool = False
) -> dict[str, Any]:
    """Run the smoke test on a context and say how it went.

    Raises:
        FindingsError: a step failed.
        InterruptedByUser: somebody ended it early.
    """
    from mlflowctl.smoke import junit as junit_file
    from mlflowctl.smoke import runner

    console.progress(f"Testing {context.describe()}")
    report = runner.run(context, lambda outcome: _tell(console, outcome), keep=keep)
    if junit:
        junit_file.write(report, junit)
    _conclude(console, report)
    return report.as_dict()


def _tell(console: Console, outcome: Outcome) -> None:
    import sys

    mark = f"{MARKS[outcome.verdict]:<7}"
    if decorated(sys.stderr):
        mark = f"\x1b[{COLOURS[outcome.verdict]}m{mark}\x1b[0m"
    console.progress(f"  {mark}  {outcome.title:<38} {outcome.seconds:6.2f} s  {outcome.detail}".rstrip())
    if outcome.error:
        for label in ("state", "next"):
            if outcome.error[label]:
                console.progress(f"{'':11}{label + ':':<7}{outcome.error[label]}")


def _conclude(console: Console, report: Report) -> None:
    """Print the result, and raise if it is not a good one."""
    good = not report.failures and not report.interrupted
    console.result(f"Smoke test {'passed' if good else 'did not pass'}: {report.summary()}.")
    for kind, name in report.kept.items():
        console.result(f"  kept     {kind} {name}")
    for what in report.remains:
        console.result(f"  remains  {what}")
    if good:
        return
    error = _error(report)
    error.result = report.as_dict()
    raise error


def _error(report: Report) -> MlflowctlError:
    if report.interrupted:
        cleaned = any(o.name == "clean-up" and o.verdict == "ok" for o in report.outcomes)
        return InterruptedByUser(
            "The smoke test was interrupted.",
            state="What it made is removed." if cleaned else "Something it made may remain, see above.",
            next="mlflowctl smoke-test   (removes left-overs that are older than an hour)",
        )
    first = report.failures[0]
    found = first.error or {}
    count = f"{len(report.failures)} of {len(report.outcomes)} steps failed"
    return FindingsError(
        f"{count}, first {first.title!r}: {first.detail}",
        state=found.get("state", ""),
        next=found.get("next", ""),
    )
