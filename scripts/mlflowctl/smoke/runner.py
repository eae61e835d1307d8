"""The order of the steps, and running them: dependents of a failure are skipped, clean-up never is."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mlflowctl.client_environment import client_environment
from mlflowctl.errors import InterruptedByUser
from mlflowctl.settings import Context
from mlflowctl.smoke import artifacts, guarding, leaving, lifecycle, login, model, tracking
from mlflowctl.smoke.bench import Bench, Skip, SmokeStep
from mlflowctl.smoke.interruption import Interruption, interruptible
from mlflowctl.smoke.meaning import explain
from mlflowctl.smoke.report import Outcome, Report, failed

Listener = Callable[[Outcome], None]

STEPS: tuple[SmokeStep, ...] = (
    tracking.API,
    artifacts.BUCKETS,
    guarding.CATALOG,
    tracking.CLIENT,
    leaving.LEFTOVERS,
    tracking.RUN,
    artifacts.SMALL_ARTIFACT,
    artifacts.LARGE_ARTIFACT,
    model.LOG,
    model.REGISTER,
    model.LOAD,
    lifecycle.STAGES,
    lifecycle.ALIASES,
    tracking.SEARCH,
    guarding.PROMOTION,
    guarding.ALIAS_ASTRAY,
    guarding.SECOND_STAGING,
    guarding.CHAMPION_ARCHIVED,
    guarding.CHAMPION_DELETED,
    leaving.CLEAN,
)


def run(
    context: Context,
    tell: Listener,
    *,
    keep: bool = False,
    steps: tuple[SmokeStep, ...] | None = None,
) -> Report:
    """Run the smoke test.

    Args:
        context: the platform; nothing else decides where the test goes.
        tell: called with each outcome as it is known.
        keep: leave what is made.
        steps: the steps, each after those it needs; default: those that fit the context.

    Returns:
        The report. Failures are in it, not raised; so is an interruption (Ctrl-C or SIGTERM).
    """
    began = time.monotonic()
    with (
        interruptible() as interruption,
        client_environment(context),
        _quiet(),
        tempfile.TemporaryDirectory() as folder,
    ):
        bench = Bench(context, Path(folder), keep=keep)
        report = Report(context.describe(), bench.token)
        for step in steps or steps_for(context):
            outcome = _one(step, bench, report, interruption)
            report.outcomes.append(outcome)
            tell(outcome)
    report.remains = bench.remains
    report.kept = bench.made if keep else {}
    report.seconds = time.monotonic() - began
    return report


def steps_for(context: Context) -> tuple[SmokeStep, ...]:
    """The steps on this context; where the server asks for a login, that comes before anything is made."""
    if context.login is None:
        return STEPS
    first, *rest = STEPS
    later = [
        replace(step, needs=(*step.needs, login.LOGIN.name)) if step is tracking.RUN else step
        for step in rest
    ]
    return (first, login.LOGIN, *later)


def _one(step: SmokeStep, bench: Bench, report: Report, interruption: Interruption) -> Outcome:
    report.interrupted = report.interrupted or interruption.came
    if report.interrupted and not step.always:
        return Outcome(step.name, step.title, "skipped", 0.0, "interrupted")
    if missing := _unmet(step, report):
        return Outcome(step.name, step.title, "skipped", 0.0, f"needs: {missing}")
    began = time.monotonic()
    try:
        with interruption.raised():
            proved = step.run(bench)
        return Outcome(step.name, step.title, "ok", time.monotonic() - began, proved)
    except Skip as exc:
        return Outcome(step.name, step.title, "skipped", time.monotonic() - began, str(exc))
    except KeyboardInterrupt:
        report.interrupted = True
        error = InterruptedByUser(f"Interrupted while it was to {step.doing}.", state="", next="")
        return failed(step.name, step.title, time.monotonic() - began, error)
    except Exception as exc:
        problem = explain(exc, doing=step.doing, uri=bench.context.tracking_uri)
        if step is leaving.CLEAN:
            problem = leaving.unfinished(problem)
        return failed(step.name, step.title, time.monotonic() - began, problem)


def _unmet(step: SmokeStep, report: Report) -> str:
    """The title of the first needed step that did not end well, "" if all did."""
    verdicts = {outcome.name: outcome for outcome in report.outcomes}
    for name in step.needs:
        found = verdicts.get(name)
        if found is None or found.verdict != "ok":
            return found.title if found else name
    return ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the client libraries' own talk: stages are deprecated, retries are expected, and so on."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "urllib3", "alembic", "botocore", "boto3")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
