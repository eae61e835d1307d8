"""Steps about a model: logged, registered, loaded back, predicting equally."""

from __future__ import annotations

from typing import Any

from mlflowctl.smoke.bench import MARK, Bench, SmokeStep
from mlflowctl.smoke.meaning import ProofError

VERSIONS = 3


def log(bench: Bench) -> str:
    """A small scikit-learn model in the skops format, which carries no pickle."""
    import mlflow
    from sklearn.linear_model import LinearRegression

    rows, targets = _data()
    model = LinearRegression().fit(rows, targets)
    bench.expected = model.predict(rows)
    with mlflow.start_run(run_id=bench.run_id):
        bench.logged = mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="skops",
            # Named, so that MLflow does not load the model in a second process to infer them.
            pip_requirements=["scikit-learn", "skops"],
            tags={MARK: bench.token},
        )
    return f"{bench.logged.model_id}, format skops"


def register(bench: Bench) -> str:
    """One registered model with three versions."""
    client = bench.client
    bench.registered = True
    client.create_registered_model(bench.token, tags=bench.tags, description="made by mlflowctl smoke-test")
    for number in range(1, VERSIONS + 1):
        version = client.create_model_version(
            bench.token,
            bench.logged.model_uri,
            run_id=bench.run_id,
            tags=bench.tags,
            model_id=bench.logged.model_id,
        )
        if (str(version.version), version.current_stage) != (str(number), "None"):
            raise ProofError(
                f"Version {number} was registered as version {version.version} in stage "
                f"{version.current_stage!r}.",
                state="A new version must start in stage None, where it serves nobody.",
                next="mlflowctl doctor",
            )
    return f"versions 1 to {VERSIONS}, stage None"


def load(bench: Bench) -> str:
    """The registered version, loaded as a consumer loads it, predicts what the original predicted."""
    import mlflow
    import numpy

    mlflow.set_tracking_uri(bench.context.tracking_uri)
    mlflow.set_registry_uri(bench.context.tracking_uri)
    target = bench.folder / "loaded"
    target.mkdir(exist_ok=True)
    loaded = mlflow.pyfunc.load_model(f"models:/{bench.token}/1", dst_path=str(target))
    rows, _ = _data()
    found = loaded.predict(rows)
    if not numpy.array_equal(found, bench.expected):
        raise ProofError(
            f"The loaded model predicts {found.tolist()} instead of {bench.expected.tolist()}.",
            state="Models cannot be trusted: what is loaded is not what was logged.",
            next="mlflowctl logs mlflow",
        )
    return f"models:/…/1 predicts {len(rows)} rows bit for bit alike"


def _data() -> tuple[Any, Any]:
    import numpy

    rows = numpy.array([[0.1, 2.0], [1.5, 0.3], [2.2, 1.1], [3.7, 0.2], [4.4, 2.9], [5.1, 1.7]])
    return rows, rows @ numpy.array([0.7, -1.3]) + 0.25


LOG = SmokeStep("logged", "model logged", "log a model", log, ("small-artifact",))
REGISTER = SmokeStep("registered", "model registered", "register a model", register, ("logged",))
LOAD = SmokeStep("loaded", "model loaded back, predicting equally", "load the model", load, ("registered",))
