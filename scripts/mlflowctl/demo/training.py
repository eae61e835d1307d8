"""Three models of different quality, trained on real data that scikit-learn ships.

The data: 1,797 handwritten digits of 43 people (Alpaydin and Kaynak, 1998), 8 by 8 pixels each. Half of them
is held out, so that a difference between two models can be told from chance.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflowctl.client_environment import client_environment
from mlflowctl.settings import Context

MODEL = "demo-digits"
EXPERIMENT = "mlflowctl demo"
SEED = 7
KINDS = ("naive Bayes", "logistic regression", "starved regression")
POLICY = """\
# The demo's policy; docs/policy.md explains every field.
version: 1
models:
  demo-digits:
    holdout: {data: holdout.csv, target: digit}
    metrics:
      # Must be better than the champion's, beyond chance, and at least 0.75 in any case.
      - {name: accuracy, role: primary, threshold: 0.75}
      # Must not be worse by more than 0.02 on the digit that it knows least.
      - {name: balanced_accuracy, role: guardrail, margin: 0.02}
    checks: {latency_ratio: 5, memory_ratio: 2}
    live:
      # Minutes so short are for a demo; docs/live.md says what real traffic wants.
      steps: [{share: 0.2, minutes: 0.05}, {share: 0.5, minutes: 0.05}]
      minimum: 200
      bake_minutes: 0.1
      metrics:
        - {name: error rate, source: errors, role: guardrail, margin: 0.05}
        - name: right answers
          source: outcomes
          data: outcomes.jsonl
          direction: higher
          role: guardrail
          margin: 0.1
          bounds: [0, 1]
          window_minutes: 0.02
          missing: skip
"""


@dataclass(frozen=True)
class Trained:
    """A logged model.

    Attributes:
        kind: the algorithm, for people.
        source: models:/m-…, as it can be registered.
        accuracy: on the holdout, 0 to 1.
    """

    kind: str
    source: str
    accuracy: float


def train(context: Context, folder: Path) -> dict[str, Trained]:
    """Train and log all models, and write the holdout and the policy into a folder.

    Returns:
        The models by kind.

    Raises:
        MlflowctlError: the registry does not serve.
    """
    with client_environment(context), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(context.tracking_uri)
        mlflow.set_experiment(EXPERIMENT)
        x, y = load_digits(return_X_y=True, as_frame=True)
        x_fit, x_hold, y_fit, y_hold = train_test_split(x, y, test_size=0.5, random_state=SEED, stratify=y)
        folder.mkdir(parents=True, exist_ok=True)
        x_hold.assign(digit=y_hold).to_csv(folder / "holdout.csv", index=False)
        (folder / "promotion.yaml").write_text(POLICY)
        return {kind: _train(kind, x_fit, y_fit, x_hold, y_hold) for kind in KINDS}


def _train(kind: str, x_fit: Any, y_fit: Any, x_hold: Any, y_hold: Any) -> Trained:
    """Fit one model, and log it with signature, input example and holdout metrics."""
    import mlflow
    from sklearn.metrics import accuracy_score

    model = _estimator(kind).fit(x_fit, y_fit)
    predicted = model.predict(x_hold)
    accuracy = float(accuracy_score(y_hold, predicted))
    with mlflow.start_run(run_name=kind):
        mlflow.log_params(
            {"algorithm": kind, "seed": SEED, "rows_fit": len(x_fit), "rows_holdout": len(x_hold)}
        )
        mlflow.log_metric("accuracy", accuracy)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(x_fit, predicted),
            input_example=x_hold.head(3),
            pip_requirements=_requirements(),
            serialization_format="skops",
        )
    return Trained(kind, f"models:/{logged.model_id}", accuracy)


def _estimator(kind: str) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "naive Bayes":
        return make_pipeline(StandardScaler(), GaussianNB(var_smoothing=0.1))
    if kind == "logistic regression":
        return make_pipeline(StandardScaler(), LogisticRegression(random_state=SEED, max_iter=200))
    # So much regularisation that little is learned.
    return make_pipeline(StandardScaler(), LogisticRegression(random_state=SEED, C=1e-5))


def _requirements() -> list[str]:
    """Stated, because inferring them starts a second interpreter that loads the model again."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops", "pandas", "numpy")]
