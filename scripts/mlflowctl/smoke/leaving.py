"""Steps about leaving nothing behind: this run's things, and those of earlier runs that were killed."""

from __future__ import annotations

import time

from mlflowctl.errors import MlflowctlError
from mlflowctl.smoke import cleanup
from mlflowctl.smoke.bench import KEEP_MARK, MARK, PREFIX, Bench, Skip, SmokeStep

OLD_ENOUGH = 3600.0  # seconds; a younger one may belong to a smoke test that is still running
HISTORY = "rows in the guard's history (append-only, on purpose)"


def leftovers(bench: Bench) -> str:
    """Remove what earlier smoke tests left when they were killed."""
    tokens = _stale(bench, time.time() - OLD_ENOUGH)
    for token in tokens:
        cleanup.remove(bench.client, bench.context, token)
    return f"removed {len(tokens)}: {', '.join(tokens)}" if tokens else "none"


def _stale(bench: Bench, before: float) -> list[str]:
    """Names that older smoke tests carry, by mark and by age; kept ones are left alone."""
    client, limit = bench.client, before * 1000
    pattern = f"name LIKE '{PREFIX}%'"
    found = {
        experiment.name
        for experiment in client.search_experiments(filter_string=pattern)
        if experiment.creation_time < limit and _is_left(experiment.tags)
    }
    found |= {
        model.name
        for model in client.search_registered_models(pattern)
        if model.creation_timestamp < limit and _is_left(model.tags)
    }
    return sorted(found)


def _is_left(tags: dict[str, str]) -> bool:
    return MARK in tags and KEEP_MARK not in tags


def clean(bench: Bench) -> str:
    """Remove all that this run made, and read back that it is gone."""
    from mlflowctl.stack import health

    if not bench.experiment_id:
        return "nothing was made"
    if bench.keep:
        raise Skip("--keep: " + ", ".join(f"{kind} {name}" for kind, name in bench.made.items()))
    try:
        health.tracking_server(bench.context.tracking_uri, login=bench.context.login, timeout=5)
        found = cleanup.remove(bench.client, bench.context, bench.token, artifacts=bench.stored)
    except BaseException:
        bench.remains.append(", ".join(f"{kind} {name}" for kind, name in bench.made.items()))
        raise
    bench.remains += found.remains
    if bench.guarded:
        bench.remains.append(HISTORY)
    return "model, versions, run, experiment and artifacts are gone, read back"


def unfinished(error: MlflowctlError) -> MlflowctlError:
    """The clean-up's error with what happens to the rest."""
    error.state = f"{error.state} A smoke test run an hour from now removes the rest.".strip()
    return error


LEFTOVERS = SmokeStep(
    "leftovers", "left-overs of killed smoke tests", "remove left-overs", leftovers, ("client",)
)
CLEAN = SmokeStep("clean-up", "clean-up", "remove what was made", clean, always=True)
