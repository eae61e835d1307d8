"""Steps about the API and the tracking half: host name, database behind it, runs, search."""

from __future__ import annotations

from mlflowctl.errors import MlflowctlError, UnavailableError
from mlflowctl.smoke.bench import Bench, SmokeStep
from mlflowctl.smoke.meaning import ProofError

PROBE_TIMEOUT = 6.0  # seconds; a server whose database hangs never answers
PARAMETERS = {"depth": "7", "loss": "log_loss"}
METRICS = {"accuracy": 0.9375, "latency_ms": 12.5}


def api(bench: Bench) -> str:
    """The API answers through the real host name, from the database; ``/health`` would prove neither."""
    from mlflowctl.stack import health

    uri = bench.context.tracking_uri
    try:
        health.tracking_server(uri, login=bench.context.login, timeout=PROBE_TIMEOUT)
    except UnavailableError as exc:
        raise _because_of_the_database(bench, exc) from None
    return f"{uri} answers from its database"


def _because_of_the_database(bench: Bench, server: MlflowctlError) -> MlflowctlError:
    """The server's error, or the one of the database behind it where that is the reason."""
    from mlflowctl.stack import health

    if bench.context.database is None:
        return server
    try:
        health.database(bench.context.database)
    except UnavailableError as exc:
        where = f"{bench.context.database.host}:{bench.context.database.port}"
        return UnavailableError(
            f"The registry's database at {where} is down.",
            state="Nothing can be read or changed; the MLflow server runs and cannot serve.",
            next=exc.next,
        )
    except MlflowctlError as exc:
        return exc
    return server


def client_library(bench: Bench) -> str:
    """The installed client library loads; its time is shown because every client pays it."""
    import mlflow

    bench.client.search_registered_models(max_results=1)
    return f"mlflow {mlflow.__version__} reads the registry"


def run(bench: Bench) -> str:
    """An experiment, and a run whose parameters, metrics and tags read back equal."""
    client = bench.client
    bench.experiment_id = client.create_experiment(bench.token, tags=bench.tags)
    bench.run_id = client.create_run(bench.experiment_id, tags=bench.tags).info.run_id
    for name, text in PARAMETERS.items():
        client.log_param(bench.run_id, name, text)
    for name, number in METRICS.items():
        client.log_metric(bench.run_id, name, number, step=1)
    client.set_tag(bench.run_id, "smoke.note", "ünïcode tag")
    data = client.get_run(bench.run_id).data
    _same("parameters", data.params, PARAMETERS)
    _same("metrics", data.metrics, METRICS)
    _same("tag", data.tags.get("smoke.note"), "ünïcode tag")
    return f"{len(PARAMETERS)} parameters, {len(METRICS)} metrics and tags read back equal"


def search(bench: Bench) -> str:
    """Runs by metric, parameter and tag; versions and registered models by name."""
    client, token = bench.client, bench.token
    condition = f"metrics.accuracy > 0.9 and params.depth = '7' and tags.`mlflowctl.smoke-test` = '{token}'"
    runs = [found.info.run_id for found in client.search_runs([bench.experiment_id], condition)]
    _same("runs found", runs, [bench.run_id])
    nothing = client.search_runs([bench.experiment_id], "metrics.accuracy > 0.99")
    _same("runs found by a false condition", len(nothing), 0)
    versions = client.search_model_versions(f"name = '{token}'")
    _same("versions found", sorted(int(found.version) for found in versions), [1, 2, 3])
    models = [found.name for found in client.search_registered_models(f"name = '{token}'")]
    _same("registered models found", models, [token])
    return "run by metric, parameter and tag; 3 versions and the model by name"


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise ProofError(
            f"The {what} read back differ: {found!r} instead of {wanted!r}.",
            state="The registry answers, but not with what was written.",
            next="mlflowctl doctor",
        )


API = SmokeStep("api", "API through the real host name", "reach the API", api)
CLIENT = SmokeStep(
    "client", "MLflow's client library", "use the API with MLflow's client", client_library, ("api",)
)
RUN = SmokeStep("run", "run with parameters, metrics, tags", "record a run", run, ("client",))
SEARCH = SmokeStep("search", "search", "search", search, ("run", "registered"))
