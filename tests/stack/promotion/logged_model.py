"""A tiny real model, logged as a training script does."""

from __future__ import annotations

import subprocess
import sys

from tests.stack.conftest import Stack, clean_environment

LOG_A_MODEL = """
import mlflow, numpy
from importlib.metadata import version
needs = [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "skops")]
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
x = numpy.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
model = LogisticRegression().fit(x, [0, 0, 1, 1])
mlflow.set_experiment("tiny")
with mlflow.start_run():
    signature = infer_signature(x, model.predict(x))
    # Told, since finding them out takes seconds.
    made = mlflow.sklearn.log_model(model, name="model", signature=signature, pip_requirements=needs)
print("models:/" + made.model_id)
"""


def log_a_model(stack: Stack, code: str = LOG_A_MODEL) -> str:
    """Run the script on a stack; returns what it printed last: the model's address."""
    environment = clean_environment(MLFLOW_TRACKING_URI=stack.uri, MLFLOW_DISABLE_TELEMETRY="true")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]
