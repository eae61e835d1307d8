"""From a folder to a verified platform: start the stack, bootstrap it, and prove one API call."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mlflowctl import bootstrap
from mlflowctl.plan import Step
from mlflowctl.settings import Context, resolve
from mlflowctl.stack import health, ports, readiness, up
from mlflowctl.stack.layout import Layout


def bring_up(
    layout: Layout, options: up.UpOptions, report: readiness.Report
) -> tuple[Context, bool, list[Step]]:
    """Start what does not run, bootstrap, and return when the API answers.

    Args:
        layout: the stack's folder.
        options: what the user asked for.
        report: called with (component, seconds) as each component becomes ready.

    Returns:
        The context, whether processes were started, and the outcomes of bootstrap.

    Raises:
        MlflowctlError: a component does not come up; what runs is left running.
    """
    began = time.monotonic()
    with ports.claims() as claimed:
        started = up.start(layout, options, claimed)
        context = context_of(layout)
        outcomes: list[Step] = []
        stages = [
            _database_stage(context, outcomes),
            _object_store_stage(context, outcomes),
            readiness.Stage("mlflow", _mlflow_probe(context), lambda: None),
        ]
        readiness.run(layout, stages, report, began=began)
    return context, started, outcomes


def context_of(layout: Layout) -> Context:
    """The context of one particular stack, whatever the environment exports."""
    return resolve(data_dir=Path(layout.root), environ={})


def probes(context: Context) -> dict[str, Any]:
    """One probe per component of an embedded stack."""
    database, s3 = context.database, context.s3
    assert database is not None
    assert s3 is not None
    return {
        "postgres": lambda: health.database(database),
        "object-store": lambda: health.object_store(s3),
        "mlflow": _mlflow_probe(context),
    }


def _mlflow_probe(context: Context) -> readiness.Work:
    return lambda: health.tracking_server(context.tracking_uri, login=context.login)


def _database_stage(context: Context, outcomes: list[Step]) -> readiness.Stage:
    database = context.database
    assert database is not None
    options = bootstrap.BootstrapOptions()

    def prepare() -> None:
        steps = bootstrap.plan_database(database, options, context.login)
        outcomes.extend(
            bootstrap.execute_database_step(step, database) if step.effective else step for step in steps
        )

    return readiness.Stage("postgres", lambda: health.database(database), prepare)


def _object_store_stage(context: Context, outcomes: list[Step]) -> readiness.Stage:
    from mlflowctl.storage import buckets

    s3 = context.s3
    assert s3 is not None

    def prepare() -> None:
        outcomes.extend(buckets.apply(step, s3) if step.effective else step for step in buckets.plan(s3))

    return readiness.Stage("object-store", lambda: health.object_store(s3), prepare)
