"""The main job on real input: two models trained on real data, compared, and the better one in Production.

The data is the Wisconsin breast cancer set that scikit-learn ships: 569 real patients, so nothing is
downloaded.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflowctl.client_environment import client_environment
from mlflowctl.settings import Context

MODEL = "demo-breast-cancer"
EXPERIMENT = "mlflowctl demo"
SEED = 7
# The better model must also be good: what the demo asks before it promotes.
MINIMUM_ROC_AUC = 0.95

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """A registered candidate.

    Attributes:
        kind: the algorithm, for people.
        version: of the registered model.
        roc_auc: on the holdout, 0.5 to 1.
        accuracy: on the holdout, 0 to 1.
    """

    kind: str
    version: str
    roc_auc: float
    accuracy: float


def run(context: Context, say: Say) -> list[dict[str, Any]]:
    """Train, register, stage and promote; may be run any number of times.

    Returns:
        The registry's table: one row per version of the demo's model, newest first.

    Raises:
        MlflowctlError: the registry does not serve.
    """
    with client_environment(context), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(context.tracking_uri)
        mlflow.set_experiment(EXPERIMENT)
        client = mlflow.MlflowClient()
        candidates = [_train(kind, say) for kind in ("logistic regression", "naive Bayes")]
        best = max(candidates, key=lambda one: one.roc_auc)
        _promote(client, best, say)
        return _table(client)


def _train(kind: str, say: Say) -> Trained:
    """Fit one model, log it with signature, input example and holdout metrics, and register it."""
    import mlflow
    from sklearn.datasets import load_breast_cancer
    from sklearn.metrics import accuracy_score, roc_auc_score
    from sklearn.model_selection import train_test_split

    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    x_fit, x_hold, y_fit, y_hold = train_test_split(x, y, test_size=0.3, random_state=SEED, stratify=y)
    model = _estimator(kind).fit(x_fit, y_fit)
    scores = model.predict_proba(x_hold)[:, 1]
    metrics = {
        "holdout_roc_auc": float(roc_auc_score(y_hold, scores)),
        "holdout_accuracy": float(accuracy_score(y_hold, scores > 0.5)),
    }
    with mlflow.start_run(run_name=kind):
        mlflow.log_params(
            {"algorithm": kind, "seed": SEED, "rows_fit": len(x_fit), "rows_holdout": len(x_hold)}
        )
        mlflow.log_metrics(metrics)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(x_fit, scores),
            input_example=x_hold.head(3),
            pip_requirements=_requirements(),
            serialization_format="skops",
        )
    version = _register(logged.model_uri, kind)
    say(f"  version {version}: {kind:<20} holdout ROC AUC {metrics['holdout_roc_auc']:.4f}")
    return Trained(kind, version, metrics["holdout_roc_auc"], metrics["holdout_accuracy"])


def _estimator(kind: str) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "naive Bayes":
        return make_pipeline(StandardScaler(), GaussianNB())
    return make_pipeline(StandardScaler(), LogisticRegression(random_state=SEED))


def _requirements() -> list[str]:
    """Stated, because inferring them starts a second interpreter that loads the model again."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops", "pandas")]


def _register(model_uri: str, kind: str) -> str:
    """A new version: stage None, validation pending."""
    import mlflow

    with contextlib.redirect_stderr(io.StringIO()):  # MLflow announces what the table shows anyway
        registered = mlflow.register_model(
            model_uri, MODEL, tags={"validation_status": "pending", "algorithm": kind}
        )
    return str(registered.version)


def _promote(client: Any, best: Trained, say: Say) -> None:
    """Staging, the check, Production. The guard in the database makes the switch."""
    client.transition_model_version_stage(MODEL, best.version, "Staging", archive_existing_versions=True)
    passed = best.roc_auc >= MINIMUM_ROC_AUC
    client.set_model_version_tag(MODEL, best.version, "validation_status", "passed" if passed else "failed")
    if not passed:
        say(f"  version {best.version} stays in Staging: ROC AUC below {MINIMUM_ROC_AUC}")
        return
    client.transition_model_version_stage(MODEL, best.version, "Production")
    say(f"  version {best.version} ({best.kind}) is in Production")


def _table(client: Any) -> list[dict[str, Any]]:
    aliases: dict[str, list[str]] = {}
    for alias, version in client.get_registered_model(MODEL).aliases.items():
        aliases.setdefault(str(version), []).append(alias)
    versions = client.search_model_versions(f"name = '{MODEL}'")
    return [
        {
            "version": int(one.version),
            "stage": one.current_stage,
            "validation_status": one.tags.get("validation_status", ""),
            "aliases": sorted(aliases.get(str(one.version), [])),
            "algorithm": one.tags.get("algorithm", ""),
            "holdout_roc_auc": round(client.get_run(one.run_id).data.metrics["holdout_roc_auc"], 4),
        }
        for one in sorted(versions, key=lambda found: -int(found.version))
    ]
